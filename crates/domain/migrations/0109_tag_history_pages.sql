-- The moves of all tags of a repository, newest first.
CREATE INDEX tag_history_by_repository ON tag_history (repository_id, id);
