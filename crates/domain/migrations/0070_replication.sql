-- What is still to be carried to another registry, for each change and destination, in the order of
-- id. tag is empty for an image without one.
CREATE TABLE replication_queue (
    id BIGINT NOT NULL PRIMARY KEY,
    repository_id BIGINT NOT NULL REFERENCES repositories (id),
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    change TEXT NOT NULL CHECK (change IN ('PUSH', 'DELETE')),
    digest TEXT NOT NULL,
    tag TEXT NOT NULL,
    backfill_id TEXT,
    queued_at BIGINT NOT NULL
);
CREATE INDEX replication_queue_by_destination
    ON replication_queue (repository_id, account_id, region, id);
CREATE INDEX replication_queue_by_backfill ON replication_queue (backfill_id);

-- What came of the newest copy of each image to each destination.
CREATE TABLE replications (
    image_id BIGINT NOT NULL REFERENCES images (id),
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('IN_PROGRESS', 'COMPLETE', 'FAILED')),
    failure_code TEXT,
    queued_at BIGINT NOT NULL,
    ended_at BIGINT,
    PRIMARY KEY (image_id, account_id, region)
);

-- next_repository and next_image say where preparing goes on: everything before is queued.
CREATE TABLE replication_backfills (
    id TEXT NOT NULL PRIMARY KEY,
    registry_id BIGINT NOT NULL REFERENCES registries (id),
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    status TEXT NOT NULL,
    failure_code TEXT,
    total BIGINT NOT NULL,
    completed BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    next_repository BIGINT NOT NULL,
    next_image BIGINT NOT NULL,
    started_at BIGINT NOT NULL,
    ended_at BIGINT
);
CREATE INDEX replication_backfills_by_registry ON replication_backfills (registry_id, started_at);
CREATE INDEX replication_backfills_by_end ON replication_backfills (ended_at);

-- What came of each image and tag of a backfill.
CREATE TABLE replication_backfill_results (
    backfill_id TEXT NOT NULL REFERENCES replication_backfills (id),
    id BIGINT NOT NULL,
    repository_name TEXT NOT NULL,
    digest TEXT NOT NULL,
    tag TEXT NOT NULL,
    status TEXT NOT NULL,
    failure_code TEXT,
    child_failure_codes TEXT NOT NULL,
    PRIMARY KEY (backfill_id, id)
);
