-- What a preview came to, rule by rule: images, and bytes that nothing would need any more (JSON).
-- Previews from before have none.
ALTER TABLE lifecycle_previews ADD COLUMN effects TEXT NOT NULL DEFAULT '{}';
