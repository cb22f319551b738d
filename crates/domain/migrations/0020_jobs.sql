-- Jobs: what the foundation's table does not say. account_id is the empty text for jobs of the
-- deployment. again_at: when the job runs once more because it was enqueued while it ran.
ALTER TABLE jobs ADD COLUMN cancel_requested BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN again_at BIGINT;
ALTER TABLE jobs ADD COLUMN progress_done BIGINT NOT NULL DEFAULT 0;
ALTER TABLE jobs ADD COLUMN progress_total BIGINT;
ALTER TABLE jobs ADD COLUMN updated_at BIGINT NOT NULL DEFAULT 0;

-- Whose turn it is, by kind; which leases have run out; which ended jobs may be forgotten.
CREATE INDEX jobs_by_turn ON jobs (kind, state, account_id, run_at);
CREATE INDEX jobs_by_lease ON jobs (kind, state, lease_expires_at);
CREATE INDEX jobs_by_update ON jobs (state, updated_at);
