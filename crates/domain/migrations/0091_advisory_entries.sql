-- What advisories say of packages, in the names and spellings that packages are looked up by.
CREATE TABLE advisory_entries (
    ecosystem TEXT NOT NULL,
    name TEXT NOT NULL,
    advisory_id BIGINT NOT NULL REFERENCES advisories (id),
    rules TEXT NOT NULL,
    PRIMARY KEY (ecosystem, name, advisory_id)
);
CREATE INDEX advisory_entries_by_advisory ON advisory_entries (advisory_id);

-- Which packages something else has been said of, and when last, in the order of sequence.
CREATE TABLE advisory_changes (
    ecosystem TEXT NOT NULL,
    name TEXT NOT NULL,
    sequence BIGINT NOT NULL UNIQUE,
    PRIMARY KEY (ecosystem, name)
);

-- The last sequence given away. Who takes one holds the row until the end of its transaction, so
-- sequences become visible in their order.
CREATE TABLE advisory_sequence (
    id BIGINT NOT NULL PRIMARY KEY CHECK (id = 1),
    sequence BIGINT NOT NULL
);
INSERT INTO advisory_sequence (id, sequence) VALUES (1, 0);
