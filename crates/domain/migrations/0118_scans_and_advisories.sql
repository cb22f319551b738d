-- Up to which change of the advisories a scan has looked: 0 where that is not known, or where
-- another scanner looked.
ALTER TABLE image_scans ADD COLUMN advisories_seen BIGINT NOT NULL DEFAULT 0;
-- Images that were scanned with newer advisories than the others follow.
CREATE INDEX image_scans_by_advisories ON image_scans (advisories_seen, image_id);
