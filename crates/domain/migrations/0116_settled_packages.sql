-- Packages of which advisories say something else, while images are looked at for that.
ALTER TABLE package_versions ADD COLUMN unsettled BIGINT NOT NULL DEFAULT 0;
CREATE INDEX package_versions_unsettled ON package_versions (id) WHERE unsettled = 1;

-- Findings of some names of some images.
DROP INDEX image_findings_by_name;
CREATE INDEX image_findings_by_name ON image_findings (name, image_id);

-- What a scan found was observed when the scan was done.
ALTER TABLE image_findings DROP COLUMN last_observed_at;
