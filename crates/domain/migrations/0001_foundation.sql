-- One text for every engine: BIGINT, TEXT and BYTEA only; times are milliseconds since 1970,
-- truth values 0 and 1, documents TEXT. Ids are made by the process (see ids.rs).

-- Which deployment this is, which object store belongs to it, and the proof of its root key.
CREATE TABLE deployment (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    deployment_id TEXT NOT NULL,
    object_store_id TEXT NOT NULL,
    root_key_check BYTEA NOT NULL,
    management_account_id TEXT NOT NULL,
    default_region TEXT NOT NULL,
    created_at BIGINT NOT NULL
);

CREATE TABLE accounts (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ACTIVE', 'SUSPENDED')),
    created_at BIGINT NOT NULL
);

CREATE TABLE principals (
    id BIGINT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    arn TEXT NOT NULL UNIQUE,
    unique_id TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    UNIQUE (account_id, kind, name)
);

CREATE TABLE principal_policies (
    principal_id BIGINT NOT NULL REFERENCES principals (id),
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (principal_id, name)
);

-- The secret is sealed with the root key: SigV4 needs it back.
CREATE TABLE access_keys (
    id TEXT NOT NULL PRIMARY KEY,
    principal_id BIGINT NOT NULL REFERENCES principals (id),
    sealed_secret BYTEA NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('ACTIVE', 'INACTIVE')),
    created_at BIGINT NOT NULL
);
CREATE INDEX access_keys_by_principal ON access_keys (principal_id);

-- Keys that sign authorization tokens, download links and page tokens. A key signs until
-- signs_until and verifies until verifies_until.
CREATE TABLE token_keys (
    id TEXT NOT NULL PRIMARY KEY,
    sealed_secret BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    signs_until BIGINT NOT NULL,
    verifies_until BIGINT NOT NULL
);

-- Version numbers of what decisions are made from; a decision is valid under the versions it read.
CREATE TABLE versions (
    name TEXT NOT NULL PRIMARY KEY,
    version BIGINT NOT NULL
);

CREATE TABLE registries (
    id BIGINT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('private', 'public')),
    partition TEXT NOT NULL,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    region TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (kind, account_id, region)
);

CREATE TABLE repositories (
    id BIGINT NOT NULL PRIMARY KEY,
    registry_id BIGINT NOT NULL REFERENCES registries (id),
    name TEXT NOT NULL,
    tag_mutability TEXT NOT NULL,
    tag_mutability_exclusions TEXT NOT NULL,
    scan_on_push BIGINT NOT NULL,
    encryption_type TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (registry_id, name)
);

CREATE TABLE resource_tags (
    repository_id BIGINT NOT NULL REFERENCES repositories (id),
    tag_key TEXT NOT NULL,
    tag_value TEXT NOT NULL,
    PRIMARY KEY (repository_id, tag_key)
);

-- The boundary inside which equal blobs are kept once: an account (AES256), later an account,
-- region and KMS key.
CREATE TABLE encryption_domains (
    id BIGINT NOT NULL PRIMARY KEY,
    account_id TEXT NOT NULL REFERENCES accounts (id),
    region TEXT NOT NULL,
    key_arn TEXT NOT NULL,
    wrapped_key BYTEA NOT NULL,
    created_at BIGINT NOT NULL,
    UNIQUE (account_id, region, key_arn)
);

-- container_version 0: bytes as they are; 1: sealed (see encryption/container.rs). Small blobs live
-- in inline_bytes, others in an object. A blob with damaged_at is not served, and the next upload of
-- its bytes replaces what is stored.
CREATE TABLE blobs (
    id BIGINT NOT NULL PRIMARY KEY,
    encryption_domain_id BIGINT NOT NULL REFERENCES encryption_domains (id),
    digest TEXT NOT NULL,
    size BIGINT NOT NULL,
    container_version BIGINT NOT NULL,
    wrapped_key BYTEA,
    tier TEXT NOT NULL,
    object_id TEXT UNIQUE,
    inline_bytes BYTEA,
    damaged_at BIGINT,
    created_at BIGINT NOT NULL,
    UNIQUE (encryption_domain_id, digest),
    CHECK ((object_id IS NULL) <> (inline_bytes IS NULL))
);

-- A blob is reachable only through a repository that holds it.
CREATE TABLE repository_blobs (
    repository_id BIGINT NOT NULL REFERENCES repositories (id),
    blob_id BIGINT NOT NULL REFERENCES blobs (id),
    added_at BIGINT NOT NULL,
    PRIMARY KEY (repository_id, blob_id)
);
CREATE INDEX repository_blobs_by_blob ON repository_blobs (blob_id);

-- The manifest byte for byte, and what was parsed from it at push with parser_version.
CREATE TABLE images (
    id BIGINT NOT NULL PRIMARY KEY,
    repository_id BIGINT NOT NULL REFERENCES repositories (id),
    digest TEXT NOT NULL,
    kind TEXT NOT NULL,
    media_type TEXT NOT NULL,
    artifact_type TEXT,
    config_media_type TEXT,
    subject_digest TEXT,
    annotations TEXT NOT NULL,
    image_size BIGINT NOT NULL,
    parser_version BIGINT NOT NULL,
    container_version BIGINT NOT NULL,
    manifest BYTEA NOT NULL,
    manifest_size BIGINT NOT NULL,
    pushed_at BIGINT NOT NULL,
    last_pulled_at BIGINT,
    UNIQUE (repository_id, digest)
);
CREATE INDEX images_by_subject ON images (repository_id, subject_digest);
CREATE INDEX images_by_repository ON images (repository_id, id);

-- Edges of an image to its config (position -1) and layers; blob_id is NULL for layers that live
-- elsewhere (foreign layers).
CREATE TABLE image_blobs (
    image_id BIGINT NOT NULL REFERENCES images (id),
    position BIGINT NOT NULL,
    repository_id BIGINT NOT NULL,
    blob_id BIGINT,
    digest TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size BIGINT NOT NULL,
    PRIMARY KEY (image_id, position),
    FOREIGN KEY (repository_id, blob_id) REFERENCES repository_blobs (repository_id, blob_id)
);
CREATE INDEX image_blobs_by_blob ON image_blobs (repository_id, blob_id);

-- Edges of an index to its children, which are images of the same repository.
CREATE TABLE image_children (
    image_id BIGINT NOT NULL REFERENCES images (id),
    position BIGINT NOT NULL,
    child_image_id BIGINT REFERENCES images (id),
    digest TEXT NOT NULL,
    media_type TEXT NOT NULL,
    size BIGINT NOT NULL,
    platform TEXT NOT NULL,
    PRIMARY KEY (image_id, position)
);
CREATE INDEX image_children_by_child ON image_children (child_image_id);

CREATE TABLE tags (
    repository_id BIGINT NOT NULL REFERENCES repositories (id),
    name TEXT NOT NULL,
    image_id BIGINT NOT NULL REFERENCES images (id),
    version BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (repository_id, name)
);
CREATE INDEX tags_by_image ON tags (image_id);

-- Every move of every tag: digest is NULL when the tag was removed.
CREATE TABLE tag_history (
    id BIGINT NOT NULL PRIMARY KEY,
    repository_id BIGINT NOT NULL,
    tag TEXT NOT NULL,
    version BIGINT NOT NULL,
    digest TEXT,
    previous_digest TEXT,
    principal_arn TEXT NOT NULL,
    changed_at BIGINT NOT NULL
);
CREATE INDEX tag_history_by_tag ON tag_history (repository_id, tag, id);

-- An upload under way. Whole chunks are in the object, whose id stands here before the object is
-- made; the rest, and everything of a small blob, is in progress, sealed with the running digest.
CREATE TABLE uploads (
    id TEXT NOT NULL PRIMARY KEY,
    repository_id BIGINT NOT NULL REFERENCES repositories (id),
    principal_id BIGINT NOT NULL,
    received BIGINT NOT NULL,
    parts BIGINT NOT NULL,
    last_part BIGINT NOT NULL,
    smallest_inner_part BIGINT,
    container_version BIGINT NOT NULL,
    wrapped_key BYTEA NOT NULL,
    progress BYTEA NOT NULL,
    object_id TEXT NOT NULL UNIQUE,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX uploads_by_expiry ON uploads (expires_at);
CREATE INDEX uploads_by_repository ON uploads (repository_id);

-- Objects that no row names any more; removed from the store after the commit that put them here.
CREATE TABLE garbage_objects (
    object_id TEXT NOT NULL PRIMARY KEY,
    since BIGINT NOT NULL
);
CREATE INDEX garbage_objects_by_time ON garbage_objects (since);

-- Every edge of repository_blobs that no image needs, and some that one needs or that are gone;
-- every blob without such an edge has one too. since is when that may have become so, or when a
-- push last relied on the edge. docs/garbage-collection.md says what follows from it.
CREATE TABLE garbage_candidates (
    repository_id BIGINT NOT NULL,
    blob_id BIGINT NOT NULL,
    since BIGINT NOT NULL,
    PRIMARY KEY (repository_id, blob_id)
);
CREATE INDEX garbage_candidates_by_time ON garbage_candidates (since);

-- What garbage collection removed so far.
CREATE TABLE garbage_collection (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    removed_blobs BIGINT NOT NULL,
    reclaimed_bytes BIGINT NOT NULL
);
INSERT INTO garbage_collection (id, removed_blobs, reclaimed_bytes) VALUES (1, 0, 0);

CREATE TABLE outbox (
    id BIGINT NOT NULL PRIMARY KEY,
    registry_id BIGINT NOT NULL,
    kind TEXT NOT NULL,
    payload_version BIGINT NOT NULL,
    payload TEXT NOT NULL,
    occurred_at BIGINT NOT NULL
);

CREATE TABLE jobs (
    id BIGINT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    job_key TEXT NOT NULL,
    account_id TEXT,
    payload_version BIGINT NOT NULL,
    payload TEXT NOT NULL,
    state TEXT NOT NULL,
    run_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    lease_owner TEXT,
    lease_fence BIGINT NOT NULL,
    lease_expires_at BIGINT,
    last_error TEXT,
    created_at BIGINT NOT NULL,
    UNIQUE (kind, job_key)
);
CREATE INDEX jobs_by_run_at ON jobs (state, run_at);

CREATE TABLE schedules (
    name TEXT NOT NULL PRIMARY KEY,
    next_at BIGINT NOT NULL,
    last_at BIGINT
);

-- One record per operation that changed something, written in the transaction of the change.
CREATE TABLE access_records (
    id BIGINT NOT NULL PRIMARY KEY,
    request_id TEXT NOT NULL,
    occurred_at BIGINT NOT NULL,
    account_id TEXT NOT NULL,
    region TEXT NOT NULL,
    principal_arn TEXT NOT NULL,
    access_key_id TEXT,
    source_address TEXT NOT NULL,
    user_agent TEXT NOT NULL,
    service TEXT NOT NULL,
    operation TEXT NOT NULL,
    resources TEXT NOT NULL
);
CREATE INDEX access_records_by_time ON access_records (occurred_at);
