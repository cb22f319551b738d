-- The oldest events and moves of tags, which are forgotten.
CREATE INDEX outbox_by_time ON outbox (occurred_at, id);
CREATE INDEX tag_history_by_time ON tag_history (changed_at, id);
