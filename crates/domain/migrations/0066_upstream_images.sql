-- Images that come from upstream registries.

-- Whether the pull-through cache made the repository, or brought an image to it.
ALTER TABLE repositories ADD COLUMN is_cache BIGINT NOT NULL DEFAULT 0;

-- When an upstream last said that a tag names this image; NULL: nobody but a push said so, and no
-- upstream is asked about it.
ALTER TABLE tags ADD COLUMN validated_at BIGINT;

-- Images on their way: their manifests are stored and answered, and some of what they refer to is
-- not there yet. Their edges to that have no blob_id or child_image_id until it comes. A row goes when everything is there.
-- tags: a JSON list of the tags that the image came with, null for none. depth: how many indexes
-- led to the image. try_at: when the rest is next fetched without being asked for; NULL: it is not.
CREATE TABLE arriving_images (
    image_id BIGINT NOT NULL PRIMARY KEY REFERENCES images (id),
    repository_id BIGINT NOT NULL,
    tags TEXT NOT NULL,
    depth BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    try_at BIGINT,
    arrived_at BIGINT NOT NULL
);
CREATE INDEX arriving_images_by_repository ON arriving_images (repository_id, try_at);

-- Who is fetching a blob from the upstream of a repository. Whoever has a row's fence may publish
-- the blob until expires_at; past that, anybody may take the row over with a fence of their own.
CREATE TABLE upstream_transfers (
    repository_id BIGINT NOT NULL,
    digest TEXT NOT NULL,
    fence BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (repository_id, digest)
);
CREATE INDEX upstream_transfers_by_expiry ON upstream_transfers (expires_at);
