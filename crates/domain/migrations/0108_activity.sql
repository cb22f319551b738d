-- How often images are pulled, and repositories pushed to, on a day of UTC counted from 1970. Rows of
-- old days go; those of an image that has gone go with their day.
CREATE TABLE image_pulls (
    image_id BIGINT NOT NULL,
    day BIGINT NOT NULL,
    repository_id BIGINT NOT NULL,
    pulls BIGINT NOT NULL,
    PRIMARY KEY (image_id, day)
);
CREATE INDEX image_pulls_by_day ON image_pulls (day, repository_id);

CREATE TABLE repository_activity (
    repository_id BIGINT NOT NULL,
    day BIGINT NOT NULL,
    pulls BIGINT NOT NULL,
    pushes BIGINT NOT NULL,
    PRIMARY KEY (repository_id, day)
);
CREATE INDEX repository_activity_by_day ON repository_activity (day);

-- Images by age, and those among them that nobody pulled, counted without reading manifests.
CREATE INDEX images_by_age ON images (repository_id, pushed_at);
CREATE INDEX images_never_pulled ON images (repository_id, pushed_at) WHERE last_pulled_at IS NULL;
