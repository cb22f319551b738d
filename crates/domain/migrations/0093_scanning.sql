-- What is in a layer, once for each blob and version of the indexer: sealed like a manifest, or why
-- the layer can never be read.
CREATE TABLE layer_indexes (
    blob_id BIGINT NOT NULL PRIMARY KEY REFERENCES blobs (id),
    indexer_version BIGINT NOT NULL,
    container_version BIGINT NOT NULL,
    digest TEXT NOT NULL,
    content BYTEA,
    failure TEXT,
    indexed_at BIGINT NOT NULL,
    CHECK ((content IS NULL) <> (failure IS NULL))
);

-- The newest scan of each image by each kind of scanning. counts is what findings there are, by
-- severity, as a JSON object; fixable is those of them that a newer version of a package would end.
CREATE TABLE image_scans (
    image_id BIGINT NOT NULL REFERENCES images (id),
    scan_type TEXT NOT NULL CHECK (scan_type IN ('BASIC', 'ENHANCED')),
    status TEXT NOT NULL,
    description TEXT NOT NULL,
    requested_at BIGINT NOT NULL,
    completed_at BIGINT,
    source_updated_at BIGINT,
    counts TEXT NOT NULL,
    fixable TEXT NOT NULL,
    platform TEXT NOT NULL,
    PRIMARY KEY (image_id, scan_type)
);

-- The findings of a scan, the worst first. Times are those of the finding, not of the scan.
CREATE TABLE image_findings (
    image_id BIGINT NOT NULL,
    scan_type TEXT NOT NULL,
    position BIGINT NOT NULL,
    name TEXT NOT NULL,
    severity TEXT NOT NULL,
    document TEXT NOT NULL,
    first_observed_at BIGINT NOT NULL,
    last_observed_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    PRIMARY KEY (image_id, scan_type, position),
    FOREIGN KEY (image_id, scan_type) REFERENCES image_scans (image_id, scan_type)
);
CREATE INDEX image_findings_by_name ON image_findings (name);

-- What advisories know packages by, each once in the deployment; matches is a digest of what
-- advisories said of it when it was last looked at.
CREATE TABLE package_versions (
    id BIGINT NOT NULL PRIMARY KEY,
    ecosystem TEXT NOT NULL,
    name TEXT NOT NULL,
    version TEXT NOT NULL,
    module TEXT NOT NULL,
    architecture TEXT NOT NULL,
    matches TEXT NOT NULL,
    UNIQUE (ecosystem, name, version, module, architecture)
);

-- Which scanned images have them.
CREATE TABLE image_packages (
    image_id BIGINT NOT NULL REFERENCES images (id),
    package_version_id BIGINT NOT NULL REFERENCES package_versions (id),
    PRIMARY KEY (image_id, package_version_id)
);
CREATE INDEX image_packages_by_version ON image_packages (package_version_id, image_id);

-- Up to which change of the advisories the packages were looked at.
CREATE TABLE scanning_progress (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    advisories_seen BIGINT NOT NULL
);
INSERT INTO scanning_progress (id, advisories_seen) VALUES (1, 0);
