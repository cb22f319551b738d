-- The architecture that the configuration of an image names, of what was scanned since; may be empty.
ALTER TABLE image_scans ADD COLUMN architecture TEXT NOT NULL DEFAULT '';
