-- What issues the signing certificates of an account. Keys are sealed with the root key.
CREATE TABLE signing_authorities (
    account_id TEXT NOT NULL PRIMARY KEY REFERENCES accounts (id),
    certificate BYTEA NOT NULL,
    sealed_key BYTEA NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE signing_profiles (
    arn TEXT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    region TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    tags TEXT NOT NULL,
    certificate BYTEA NOT NULL,
    sealed_key BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (account_id, region, name)
);

-- What came of the signature of each image by each profile that a rule named when it was pushed.
CREATE TABLE image_signatures (
    image_id BIGINT NOT NULL REFERENCES images (id),
    profile_arn TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('IN_PROGRESS', 'COMPLETE', 'FAILED')),
    failure_code TEXT,
    failure_reason TEXT,
    queued_at BIGINT NOT NULL,
    ended_at BIGINT,
    PRIMARY KEY (image_id, profile_arn)
);
