-- People look for what was done in an account, and for what happened in a registry, newest first.
CREATE INDEX access_records_by_account ON access_records (account_id, occurred_at, id);
CREATE INDEX outbox_by_registry ON outbox (registry_id, occurred_at, id);
