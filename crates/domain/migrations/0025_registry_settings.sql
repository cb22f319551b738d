-- Settings of a registry that are read and replaced as a whole; version is that of the document's
-- form.
CREATE TABLE registry_documents (
    registry_id BIGINT NOT NULL REFERENCES registries (id),
    name TEXT NOT NULL,
    version BIGINT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (registry_id, name)
);

-- Lists and filters are JSON; applied_for is a list of the scenarios.
CREATE TABLE repository_creation_templates (
    registry_id BIGINT NOT NULL REFERENCES registries (id),
    prefix TEXT NOT NULL,
    description TEXT,
    encryption_type TEXT NOT NULL,
    resource_tags TEXT NOT NULL,
    tag_mutability TEXT NOT NULL,
    tag_mutability_exclusions TEXT NOT NULL,
    repository_policy TEXT,
    lifecycle_policy TEXT,
    applied_for TEXT NOT NULL,
    custom_role_arn TEXT,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (registry_id, prefix)
);

-- Principals whose pulls do not count for lastRecordedPullTime.
CREATE TABLE pull_time_exclusions (
    registry_id BIGINT NOT NULL REFERENCES registries (id),
    principal_arn TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (registry_id, principal_arn)
);
