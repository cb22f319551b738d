-- Sessions of people whom an identity provider let in: the token of their session of a role, which is
-- worth nothing without the secret that is kept nowhere, and a hash of who they are at the provider.
ALTER TABLE console_sessions ADD COLUMN session_token TEXT;
ALTER TABLE console_sessions ADD COLUMN subject_mark TEXT;
