-- The public registry of an account is the row of registries without a region.
CREATE INDEX registries_by_place ON registries (account_id, region);

-- Names of public registries. active_skeleton is what the name shares with those that people take
-- for it, of active aliases only, so that no two of them look alike.
CREATE TABLE public_aliases (
    registry_id BIGINT NOT NULL REFERENCES registries (id),
    name TEXT NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('ACTIVE', 'PENDING', 'REJECTED')),
    active_skeleton TEXT UNIQUE,
    is_primary BIGINT NOT NULL CHECK (is_primary IN (0, 1)),
    is_default BIGINT NOT NULL CHECK (is_default IN (0, 1)),
    requested_at BIGINT NOT NULL,
    decided_at BIGINT,
    PRIMARY KEY (registry_id, name)
);
CREATE INDEX public_aliases_by_name ON public_aliases (name, registry_id);

-- What is shown of public repositories; lists are JSON. Every logo has another logo_id.
CREATE TABLE public_catalog_data (
    repository_id BIGINT NOT NULL PRIMARY KEY REFERENCES repositories (id),
    description TEXT,
    architectures TEXT NOT NULL,
    operating_systems TEXT NOT NULL,
    logo_id TEXT,
    logo BYTEA,
    about_text TEXT,
    usage_text TEXT
);

-- Bytes that public registries sent to each source in a calendar month, UTC, as YYYY-MM.
CREATE TABLE public_traffic (
    month TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('anonymous', 'authenticated')),
    source TEXT NOT NULL,
    bytes BIGINT NOT NULL,
    PRIMARY KEY (month, kind, source)
);
