-- Up to which change a source was read that lists its changes, in milliseconds.
ALTER TABLE advisory_sources ADD COLUMN changes_seen BIGINT;
