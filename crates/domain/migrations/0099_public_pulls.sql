-- Pulls of public repositories. A day is one of UTC, counted from 1970; a tag or a platform that is
-- not known is empty. A row may count below zero until the pull that it corrects is written too.
CREATE TABLE public_pulls (
    repository_id BIGINT NOT NULL,
    day BIGINT NOT NULL,
    tag TEXT NOT NULL,
    digest TEXT NOT NULL,
    platform TEXT NOT NULL,
    pulls BIGINT NOT NULL,
    PRIMARY KEY (repository_id, day, tag, digest, platform)
);
