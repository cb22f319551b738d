-- A repository's lifecycle policy, byte for byte. version is new with every text; next_run_at is
-- when the daily turn of the repository comes.
CREATE TABLE lifecycle_policies (
    repository_id BIGINT NOT NULL PRIMARY KEY REFERENCES repositories (id),
    version BIGINT NOT NULL,
    policy_text TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    next_run_at BIGINT NOT NULL,
    last_evaluated_at BIGINT
);
CREATE INDEX lifecycle_policies_by_turn ON lifecycle_policies (next_run_at);

-- Images that a policy expired while others referred to them as their subject; these go next.
CREATE TABLE lifecycle_expired_subjects (
    repository_id BIGINT NOT NULL REFERENCES repositories (id),
    digest TEXT NOT NULL,
    PRIMARY KEY (repository_id, digest)
);

-- The last preview of a repository. Results belong to it by preview_id.
CREATE TABLE lifecycle_previews (
    repository_id BIGINT NOT NULL PRIMARY KEY REFERENCES repositories (id),
    preview_id BIGINT NOT NULL UNIQUE,
    policy_text TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('IN_PROGRESS', 'COMPLETE', 'EXPIRED')),
    expiring BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    completed_at BIGINT
);
CREATE INDEX lifecycle_previews_by_end ON lifecycle_previews (state, completed_at);

CREATE TABLE lifecycle_preview_images (
    preview_id BIGINT NOT NULL,
    position BIGINT NOT NULL,
    digest TEXT NOT NULL,
    tags TEXT NOT NULL,
    pushed_at BIGINT NOT NULL,
    rule_priority BIGINT NOT NULL,
    PRIMARY KEY (preview_id, position),
    UNIQUE (preview_id, digest)
);

-- Previews that nobody can read any more, whose results are removed in small pieces.
CREATE TABLE lifecycle_old_previews (
    preview_id BIGINT NOT NULL PRIMARY KEY
);
