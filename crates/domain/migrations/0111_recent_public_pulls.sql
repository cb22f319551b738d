-- What a server that stopped knew of pulls that may go on after it: who fetched which index, and where
-- tags pointed. The next server that starts takes and removes the rows; content is JSON.
CREATE TABLE recent_public_pulls (
    id BIGINT NOT NULL PRIMARY KEY,
    saved_at BIGINT NOT NULL,
    content TEXT NOT NULL
);
