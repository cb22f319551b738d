-- The archive storage class. An image that is ARCHIVED or ACTIVATING cannot be pulled.
ALTER TABLE images ADD COLUMN status TEXT NOT NULL DEFAULT 'ACTIVE';
ALTER TABLE images ADD COLUMN last_archived_at BIGINT;
ALTER TABLE images ADD COLUMN last_activated_at BIGINT;

-- Whether only archived images of the repository need the blob: it is served to nobody then, and
-- a push sends it again. A blob all of whose edges are so may lie in the archive (blobs.tier).
ALTER TABLE repository_blobs ADD COLUMN archived BIGINT NOT NULL DEFAULT 0;

-- What a preview shows of an image beside its expiration.
ALTER TABLE lifecycle_preview_images ADD COLUMN storage_class TEXT NOT NULL DEFAULT 'standard';
ALTER TABLE lifecycle_preview_images ADD COLUMN transitions BIGINT NOT NULL DEFAULT 0;
ALTER TABLE lifecycle_previews ADD COLUMN transitioning BIGINT NOT NULL DEFAULT 0;

-- Blobs in the standard tier that may belong into the archive.
CREATE TABLE archive_candidates (
    blob_id BIGINT NOT NULL PRIMARY KEY,
    since BIGINT NOT NULL
);

-- Objects that are being made as copies of others, in the other tier. A row is there before its
-- object, and goes when a blob names the object or the object becomes garbage.
CREATE TABLE object_copies (
    object_id TEXT NOT NULL PRIMARY KEY,
    blob_id BIGINT NOT NULL,
    since BIGINT NOT NULL
);
