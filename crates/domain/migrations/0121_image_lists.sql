-- What lists of images are sorted and narrowed by, so that those of a large repository are made
-- without reading the images themselves, which have their manifests with them.
DROP INDEX images_by_repository;
CREATE INDEX images_by_repository
    ON images (repository_id, id, subject_digest, status, image_size, pushed_at, last_pulled_at);
