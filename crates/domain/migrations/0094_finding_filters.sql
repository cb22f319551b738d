-- Rules over findings, of Amazon Inspector's form. criteria is the document as it was given; the
-- tag tonnage:expires-at is kept as a time, too.
CREATE TABLE finding_filters (
    id TEXT NOT NULL PRIMARY KEY,
    registry_id BIGINT NOT NULL REFERENCES registries (id),
    name TEXT NOT NULL,
    action TEXT NOT NULL CHECK (action IN ('NONE', 'SUPPRESS')),
    description TEXT,
    reason TEXT,
    criteria TEXT NOT NULL,
    tags TEXT NOT NULL,
    expires_at BIGINT,
    has_expired BIGINT NOT NULL DEFAULT 0,
    created_at BIGINT NOT NULL,
    updated_at BIGINT NOT NULL,
    UNIQUE (registry_id, name)
);
CREATE INDEX finding_filters_by_expiry ON finding_filters (has_expired, expires_at);

-- Why a finding does not count, as a JSON object; the counts of a scan leave it out.
ALTER TABLE image_findings ADD COLUMN suppression TEXT;

-- Findings that an image no longer has, for a few days.
CREATE TABLE closed_findings (
    image_id BIGINT NOT NULL REFERENCES images (id),
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    first_observed_at BIGINT NOT NULL,
    last_observed_at BIGINT NOT NULL,
    closed_at BIGINT NOT NULL,
    PRIMARY KEY (image_id, name)
);
CREATE INDEX closed_findings_by_time ON closed_findings (closed_at);
