-- Clients and what hangs on them. Column names are those of the published schema; times are microseconds since 1970 UTC.

-- One row: numbers that belong to the store as a whole.
CREATE TABLE store_state (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL DEFAULT 0,        -- of the newest revocation; never reused
    newest_at INTEGER NOT NULL DEFAULT 0,       -- the newest time ever stored
    outbox_rows INTEGER NOT NULL DEFAULT 0,
    outbox_bytes INTEGER NOT NULL DEFAULT 0,
    outbox_lost INTEGER NOT NULL DEFAULT 0,     -- events dropped at the bound, ever
    outbox_lost_through INTEGER NOT NULL DEFAULT 0  -- sequence number of the last of them
) STRICT;
INSERT INTO store_state (id) VALUES (1);

CREATE TABLE peppers (
    key_id TEXT NOT NULL PRIMARY KEY,
    check_value BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- The columns Authenticate reads come first: metadata may reach into overflow pages.
CREATE TABLE clients (
    id TEXT NOT NULL PRIMARY KEY,
    domain_id TEXT NOT NULL,
    status INTEGER NOT NULL DEFAULT 0 CHECK (status >= 0),
    secret TEXT NOT NULL,                       -- a hash
    secret_lookup BLOB NOT NULL,                -- its digest; made of domain and secret, so unique per domain
    secret_scheme TEXT,                         -- argon2 parameters, for chosen secrets
    name TEXT NOT NULL,
    name_folded TEXT NOT NULL,                  -- NFC, case-folded
    tags TEXT NOT NULL,                         -- JSON array of strings
    identity TEXT NOT NULL,
    parent_group_id TEXT,
    created_at INTEGER NOT NULL,
    updated_at INTEGER,
    changed_at INTEGER NOT NULL,                -- updated_at, else created_at
    updated_by TEXT,
    metadata TEXT NOT NULL,                     -- JSON object
    private_metadata TEXT NOT NULL
) STRICT;
CREATE UNIQUE INDEX clients_secret_lookup ON clients (secret_lookup);
CREATE INDEX clients_by_name ON clients (domain_id, status, name, id);
CREATE INDEX clients_by_created ON clients (domain_id, status, created_at, id);
CREATE INDEX clients_by_changed ON clients (domain_id, status, changed_at, id);
CREATE INDEX clients_by_parent ON clients (parent_group_id) WHERE parent_group_id IS NOT NULL;
CREATE INDEX clients_by_scheme ON clients (domain_id, secret_scheme) WHERE secret_scheme IS NOT NULL;

CREATE TABLE secret_retirements (
    lookup BLOB NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    domain_id TEXT NOT NULL,
    secret TEXT NOT NULL,
    secret_scheme TEXT,
    expires_at INTEGER NOT NULL,
    last_used_at INTEGER
) STRICT, WITHOUT ROWID;
CREATE INDEX secret_retirements_by_client ON secret_retirements (client_id);
CREATE INDEX secret_retirements_by_expiry ON secret_retirements (expires_at);
CREATE INDEX secret_retirements_by_scheme ON secret_retirements (domain_id, secret_scheme) WHERE secret_scheme IS NOT NULL;

-- What lists search; kept in step by the program, which knows a row's old content.
CREATE TABLE client_tags (
    domain_id TEXT NOT NULL,
    tag TEXT NOT NULL,
    client_id TEXT NOT NULL,
    PRIMARY KEY (domain_id, tag, client_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE client_metadata (
    domain_id TEXT NOT NULL,
    path TEXT NOT NULL,
    value TEXT NOT NULL,
    client_id TEXT NOT NULL,
    PRIMARY KEY (domain_id, path, value, client_id)
) STRICT, WITHOUT ROWID;

CREATE TABLE connections (
    channel_id TEXT NOT NULL,
    domain_id TEXT NOT NULL,
    client_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    type INTEGER NOT NULL CHECK (type IN (1, 2)),
    PRIMARY KEY (channel_id, domain_id, client_id, type)
) STRICT, WITHOUT ROWID;
CREATE INDEX connections_by_client ON connections (client_id);

-- A client has few roles: the one with some id is found among them, and needs no index. Each index costs bulk creation.
CREATE TABLE clients_roles (
    entity_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    id TEXT NOT NULL,
    actions INTEGER NOT NULL,                   -- a bit an action
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL,
    updated_at INTEGER,
    updated_by TEXT,
    PRIMARY KEY (entity_id, name)
) STRICT, WITHOUT ROWID;

-- One role per member per client.
CREATE TABLE clients_role_members (
    entity_id TEXT NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    member_id TEXT NOT NULL,
    role_id TEXT NOT NULL,
    PRIMARY KEY (entity_id, member_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX clients_role_members_by_member ON clients_role_members (member_id, entity_id);

CREATE TABLE revocations (
    revision INTEGER NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX revocations_by_time ON revocations (at);

CREATE TABLE outbox (
    seq INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    stream TEXT NOT NULL,
    client_id TEXT NOT NULL,
    payload BLOB NOT NULL,
    occurred_at INTEGER NOT NULL
) STRICT;
