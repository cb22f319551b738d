-- The text of a repository's policy, byte for byte as it was set. principals is a JSON object from
-- each principal's ARN in it to the unique id the principal had then: the policy means those.
CREATE TABLE repository_policies (
    repository_id BIGINT NOT NULL PRIMARY KEY REFERENCES repositories (id),
    document TEXT NOT NULL,
    principals TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- The same for the policy of a whole registry.
CREATE TABLE registry_policies (
    registry_id BIGINT NOT NULL PRIMARY KEY REFERENCES registries (id),
    document TEXT NOT NULL,
    principals TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);

-- The most that principals of an account may be allowed, whatever their own policies say.
CREATE TABLE account_limits (
    account_id TEXT NOT NULL PRIMARY KEY REFERENCES accounts (id),
    document TEXT NOT NULL,
    updated_at BIGINT NOT NULL
);
