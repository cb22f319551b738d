-- A manifest that is known not to be what was pushed is not served; the next push of it heals it.
ALTER TABLE images ADD COLUMN damaged_at BIGINT;

-- How far the running pass of the scrub has come, and what the last whole one found. A pass looks at
-- the blobs, then at the manifests, each in the order of their ids.
CREATE TABLE scrub (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    phase TEXT NOT NULL CHECK (phase IN ('waiting', 'blobs', 'images')),
    after_id BIGINT NOT NULL,
    next_pass_at BIGINT NOT NULL,
    started_at BIGINT,
    checked BIGINT NOT NULL,
    bytes BIGINT NOT NULL,
    damaged BIGINT NOT NULL,
    unreadable BIGINT NOT NULL,
    last_started_at BIGINT,
    last_ended_at BIGINT,
    last_checked BIGINT NOT NULL,
    last_bytes BIGINT NOT NULL,
    last_damaged BIGINT NOT NULL,
    last_unreadable BIGINT NOT NULL
);
INSERT INTO scrub (id, phase, after_id, next_pass_at, started_at, checked, bytes, damaged,
    unreadable, last_started_at, last_ended_at, last_checked, last_bytes, last_damaged,
    last_unreadable)
    VALUES (1, 'waiting', 0, 0, NULL, 0, 0, 0, 0, NULL, NULL, 0, 0, 0, 0);
