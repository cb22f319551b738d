-- Sessions of people in the console. Only a hash of the token is kept. A session ends with the
-- access key or the password that began it, and with its principal, which may go first.
CREATE TABLE console_sessions (
    token_hash TEXT NOT NULL PRIMARY KEY,
    principal_id BIGINT NOT NULL,
    access_key_id TEXT,
    password_mark TEXT,
    created_at BIGINT NOT NULL,
    last_used_at BIGINT NOT NULL
);
CREATE INDEX console_sessions_by_principal ON console_sessions (principal_id, created_at);
CREATE INDEX console_sessions_by_age ON console_sessions (last_used_at);
