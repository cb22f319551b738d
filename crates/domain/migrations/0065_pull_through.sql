-- Which repositories are caches of which upstream registry. A prefix is ROOT or has no `/` at its
-- end; what answers repeat as it was given is kept as it was given. upstream_registry is absent for
-- a host that only the operator names.
CREATE TABLE pull_through_cache_rules (
    registry_id BIGINT NOT NULL REFERENCES registries (id),
    prefix TEXT NOT NULL,
    given_prefix TEXT NOT NULL,
    upstream_registry TEXT,
    upstream_url TEXT NOT NULL,
    given_upstream_prefix TEXT,
    credential_arn TEXT,
    custom_role_arn TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (registry_id, prefix)
);
