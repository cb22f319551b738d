-- Passwords that let somebody pull one image for a while. Of a password only the hash is kept. Who
-- made it is asked for at every use: the principal, its key and its session. uses_max is NULL where
-- any number of pulls may be made.
CREATE TABLE image_shares (
    id BIGINT NOT NULL PRIMARY KEY,
    repository_id BIGINT NOT NULL REFERENCES repositories (id),
    digest TEXT NOT NULL,
    secret_hash TEXT NOT NULL,
    principal_id BIGINT NOT NULL,
    principal_arn TEXT NOT NULL,
    access_key_id TEXT,
    session TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT,
    uses_max BIGINT,
    uses BIGINT NOT NULL,
    used_at BIGINT,
    used_from TEXT
);
CREATE INDEX image_shares_by_repository ON image_shares (repository_id, id);
