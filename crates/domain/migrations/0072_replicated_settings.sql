-- What came of the newest change of each setting of a repository that a destination gets. change_id
-- has its place among the ids of replication_queue; carried is what the destination got last.
CREATE TABLE replicated_settings (
    repository_id BIGINT NOT NULL REFERENCES repositories (id),
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    setting TEXT NOT NULL,
    change_id BIGINT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('IN_PROGRESS', 'COMPLETE', 'FAILED')),
    failure_code TEXT,
    carried TEXT,
    queued_at BIGINT NOT NULL,
    ended_at BIGINT,
    PRIMARY KEY (repository_id, account_id, region, setting)
);
CREATE INDEX replicated_settings_by_status
    ON replicated_settings (status, account_id, region, ended_at);
