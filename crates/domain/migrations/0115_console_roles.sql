-- The role that somebody in the console has taken: the key and the token of the session of it, whose
-- secret is kept nowhere, and the roles that were taken last (JSON).
ALTER TABLE console_sessions ADD COLUMN role_key TEXT;
ALTER TABLE console_sessions ADD COLUMN role_token TEXT;
ALTER TABLE console_sessions ADD COLUMN recent_roles TEXT NOT NULL DEFAULT '[]';
