-- Public repositories whose row in the gallery may be out of date. Rows are only added and removed,
-- so that no push waits for another one.
CREATE TABLE gallery_changes (
    id BIGINT NOT NULL,
    repository_id BIGINT NOT NULL,
    PRIMARY KEY (id, repository_id)
);

-- What lists of the gallery are made from, written anew from the repository after each change.
-- Neither this table nor the next has a foreign key: a row that outlives its repository is shown to
-- nobody, and goes with the change that the deletion noted. Lists are JSON.
CREATE TABLE gallery_repositories (
    repository_id BIGINT NOT NULL PRIMARY KEY,
    registry_id BIGINT NOT NULL,
    verified BIGINT NOT NULL CHECK (verified IN (0, 1)),
    tag_count BIGINT NOT NULL,
    operating_systems TEXT NOT NULL,
    architectures TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    pulls BIGINT NOT NULL
);
CREATE INDEX gallery_repositories_by_pulls ON gallery_repositories (pulls, repository_id);
CREATE INDEX gallery_repositories_by_update ON gallery_repositories (updated_at, repository_id);
CREATE INDEX gallery_repositories_by_registry ON gallery_repositories (registry_id, tag_count, pulls);

-- By which words each is found, and how much each of them says.
CREATE TABLE gallery_words (
    word TEXT NOT NULL,
    repository_id BIGINT NOT NULL,
    weight BIGINT NOT NULL,
    PRIMARY KEY (word, repository_id)
);
CREATE INDEX gallery_words_by_repository ON gallery_words (repository_id, word, weight);

-- The row that whoever writes the three tables above holds, so that what is older never
-- overwrites what is newer.
CREATE TABLE gallery (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    passes BIGINT NOT NULL
);
INSERT INTO gallery (id, passes) VALUES (1, 0);

INSERT INTO gallery_changes (id, repository_id)
    SELECT 0, repositories.id FROM repositories
    JOIN registries ON registries.id = repositories.registry_id WHERE registries.region = '';
