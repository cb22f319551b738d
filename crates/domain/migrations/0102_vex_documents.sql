-- VEX documents that hold for a whole registry, as they were given. digest is that of the document.
CREATE TABLE vex_documents (
    registry_id BIGINT NOT NULL REFERENCES registries (id),
    name TEXT NOT NULL,
    digest TEXT NOT NULL,
    document TEXT NOT NULL,
    statements BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (registry_id, name)
);
