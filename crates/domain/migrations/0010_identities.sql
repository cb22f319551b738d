-- Everything that IAM names. A user and a role have a row in principals under the same id. Names are
-- unique whatever their case: folded_name is the name in lower case.
CREATE TABLE iam_entities (
    id BIGINT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    kind TEXT NOT NULL CHECK (kind IN (
        'user', 'group', 'role', 'policy', 'instance-profile', 'oidc-provider')),
    path TEXT NOT NULL,
    name TEXT NOT NULL,
    folded_name TEXT NOT NULL,
    arn TEXT NOT NULL UNIQUE,
    unique_id TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (account_id, kind, folded_name)
);

CREATE TABLE iam_tags (
    entity_id BIGINT NOT NULL REFERENCES iam_entities (id),
    folded_key TEXT NOT NULL,
    tag_key TEXT NOT NULL,
    tag_value TEXT NOT NULL,
    PRIMARY KEY (entity_id, folded_key)
);

CREATE TABLE iam_memberships (
    group_id BIGINT NOT NULL REFERENCES iam_entities (id),
    user_id BIGINT NOT NULL REFERENCES iam_entities (id),
    PRIMARY KEY (group_id, user_id)
);
CREATE INDEX iam_memberships_by_user ON iam_memberships (user_id, group_id);

-- Policies that belong to one user, group or role.
CREATE TABLE iam_inline_policies (
    entity_id BIGINT NOT NULL REFERENCES iam_entities (id),
    folded_name TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (entity_id, folded_name)
);

-- Numbers of versions are never given twice.
CREATE TABLE iam_policies (
    policy_id BIGINT NOT NULL PRIMARY KEY REFERENCES iam_entities (id),
    last_version BIGINT NOT NULL
);

CREATE TABLE iam_policy_versions (
    policy_id BIGINT NOT NULL REFERENCES iam_entities (id),
    version BIGINT NOT NULL,
    document TEXT NOT NULL,
    is_default BIGINT NOT NULL CHECK (is_default IN (0, 1)),
    created_at BIGINT NOT NULL,
    PRIMARY KEY (policy_id, version)
);

-- By ARN, because AWS's own policies are not rows.
CREATE TABLE iam_attachments (
    entity_id BIGINT NOT NULL REFERENCES iam_entities (id),
    policy_arn TEXT NOT NULL,
    attached_at BIGINT NOT NULL,
    PRIMARY KEY (entity_id, policy_arn)
);
CREATE INDEX iam_attachments_by_policy ON iam_attachments (policy_arn, entity_id);

CREATE TABLE iam_boundaries (
    entity_id BIGINT NOT NULL PRIMARY KEY REFERENCES iam_entities (id),
    policy_arn TEXT NOT NULL
);
CREATE INDEX iam_boundaries_by_policy ON iam_boundaries (policy_arn, entity_id);

CREATE TABLE iam_roles (
    role_id BIGINT NOT NULL PRIMARY KEY REFERENCES iam_entities (id),
    trust_policy TEXT NOT NULL,
    session_seconds_max BIGINT NOT NULL,
    last_used_at BIGINT,
    last_used_region TEXT
);

CREATE TABLE iam_instance_profile_roles (
    instance_profile_id BIGINT NOT NULL PRIMARY KEY REFERENCES iam_entities (id),
    role_id BIGINT NOT NULL REFERENCES iam_entities (id)
);
CREATE INDEX iam_instance_profile_roles_by_role ON iam_instance_profile_roles (role_id);

-- The name of such an entity is the issuer without its scheme; both lists are JSON.
CREATE TABLE iam_oidc_providers (
    provider_id BIGINT NOT NULL PRIMARY KEY REFERENCES iam_entities (id),
    client_ids TEXT NOT NULL,
    thumbprints TEXT NOT NULL
);

-- The password as an Argon2id hash in PHC form.
CREATE TABLE iam_login_profiles (
    user_id BIGINT NOT NULL PRIMARY KEY REFERENCES iam_entities (id),
    password_hash TEXT NOT NULL,
    reset_required BIGINT NOT NULL CHECK (reset_required IN (0, 1)),
    created_at BIGINT NOT NULL
);

CREATE TABLE iam_account_aliases (
    account_id TEXT NOT NULL PRIMARY KEY REFERENCES accounts (id),
    alias TEXT NOT NULL UNIQUE
);

-- When a key was last used: written with others, at most once in a while for each key.
CREATE TABLE access_key_uses (
    access_key_id TEXT NOT NULL PRIMARY KEY REFERENCES access_keys (id),
    used_at BIGINT NOT NULL,
    service TEXT NOT NULL,
    region TEXT NOT NULL
);
