-- Secrets, each of an account and a region. A secret whose deletion is scheduled keeps its name
-- until purge_at.
CREATE TABLE secrets (
    id BIGINT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    arn TEXT NOT NULL UNIQUE,
    description TEXT,
    tags TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    changed_at BIGINT NOT NULL,
    -- The beginning of the day; 0 before the first time.
    accessed_at BIGINT NOT NULL,
    deleted_at BIGINT,
    purge_at BIGINT,
    UNIQUE (account_id, region, name)
);
CREATE INDEX secrets_by_purge ON secrets (purge_at);

-- Values, sealed with the root key. What a version holds never changes.
CREATE TABLE secret_versions (
    secret_id BIGINT NOT NULL REFERENCES secrets (id),
    version_id TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('TEXT', 'BINARY')),
    sealed_value BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    accessed_at BIGINT NOT NULL,
    PRIMARY KEY (secret_id, version_id)
);

-- Staging labels: each is on one version of a secret.
CREATE TABLE secret_stages (
    secret_id BIGINT NOT NULL,
    stage TEXT NOT NULL,
    version_id TEXT NOT NULL,
    PRIMARY KEY (secret_id, stage),
    FOREIGN KEY (secret_id, version_id) REFERENCES secret_versions (secret_id, version_id)
);
CREATE INDEX secret_stages_by_version ON secret_stages (secret_id, version_id);
