-- What images refer to and their repository does not have: found when it comes.
CREATE INDEX image_blobs_without_blob ON image_blobs (repository_id, digest) WHERE blob_id IS NULL;
CREATE INDEX image_children_without_image ON image_children (digest) WHERE child_image_id IS NULL;
