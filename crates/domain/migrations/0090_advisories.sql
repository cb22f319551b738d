-- Where advisories come from, and what came of reading them last. form is the version of the stored
-- rules that it was read for.
CREATE TABLE advisory_sources (
    name TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    location TEXT NOT NULL,
    licence TEXT,
    form BIGINT NOT NULL,
    etag TEXT,
    last_modified TEXT,
    checksum TEXT,
    records BIGINT NOT NULL,
    skipped BIGINT NOT NULL,
    released_at BIGINT,
    checked_at BIGINT,
    imported_at BIGINT,
    failed_at BIGINT,
    last_error TEXT
);

-- Advisories, without what they say of packages. hash is of the whole advisory.
CREATE TABLE advisories (
    id BIGINT NOT NULL PRIMARY KEY,
    source TEXT NOT NULL REFERENCES advisory_sources (name),
    identifier TEXT NOT NULL,
    hash TEXT NOT NULL,
    document TEXT NOT NULL,
    imported_at BIGINT NOT NULL,
    UNIQUE (source, identifier)
);

-- Which flaws of the CVE list an advisory is about.
CREATE TABLE advisory_cves (
    advisory_id BIGINT NOT NULL REFERENCES advisories (id),
    cve TEXT NOT NULL,
    PRIMARY KEY (advisory_id, cve)
);
CREATE INDEX advisory_cves_by_cve ON advisory_cves (cve);
