-- Local operators: who may call besides the standalone operator, and with which tokens.

CREATE TABLE operators (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE operator_domains (
    operator_id TEXT NOT NULL REFERENCES operators (id) ON DELETE CASCADE,
    domain_id TEXT NOT NULL,
    standing TEXT NOT NULL CHECK (standing IN ('admin', 'member')),
    PRIMARY KEY (operator_id, domain_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE operator_tokens (
    digest BLOB NOT NULL PRIMARY KEY,           -- HMAC of the whole token
    key_id TEXT NOT NULL,                       -- of the pepper that made it
    operator_id TEXT NOT NULL REFERENCES operators (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER,
    UNIQUE (operator_id, name)
) STRICT, WITHOUT ROWID;
