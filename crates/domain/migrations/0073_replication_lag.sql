-- What waits for a destination, oldest first, and what came of copies, newest last.
CREATE INDEX replication_queue_by_age ON replication_queue (account_id, region, id);
CREATE INDEX replications_by_end ON replications (status, account_id, region, ended_at);
