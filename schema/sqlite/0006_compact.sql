-- Rebuild: `main` is the database as it was; `new`, an empty file, takes its place.
--
-- Rows half as long: in every table but its own a client is a number, and so is a domain, a user, a group or a channel.
-- The tables of before stay readable, as views. Tables without numbers are the same as before.

-- One row: numbers that belong to the store as a whole.
CREATE TABLE new.store_state (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    revision INTEGER NOT NULL DEFAULT 0,        -- of the newest revocation; never reused
    newest_at INTEGER NOT NULL DEFAULT 0,       -- the newest time ever stored
    steady_since INTEGER NOT NULL DEFAULT 0,    -- when the clock was last found more than a day from where it should be; 0: never
    in_use INTEGER NOT NULL DEFAULT 0,          -- whether a service has this file in use, so a -wal belongs to it
    indexed_through INTEGER NOT NULL DEFAULT 0, -- client_rows.n of the newest client in tag_rows and metadata_rows
    outbox_seq INTEGER NOT NULL DEFAULT 0,      -- of the newest event; never reused
    outbox_kept INTEGER NOT NULL DEFAULT 1,     -- 0: nobody will read events, they only get their numbers
    outbox_unkept INTEGER NOT NULL DEFAULT 0,   -- how many of the newest numbers have no event for that reason
    outbox_rows INTEGER NOT NULL DEFAULT 0,
    outbox_bytes INTEGER NOT NULL DEFAULT 0,
    outbox_lost INTEGER NOT NULL DEFAULT 0,     -- events dropped at the bound, ever
    outbox_lost_through INTEGER NOT NULL DEFAULT 0  -- sequence number of the last of them
) STRICT;
INSERT INTO new.store_state (
    id, revision, newest_at, steady_since, in_use, indexed_through, outbox_seq, outbox_rows, outbox_bytes, outbox_lost,
    outbox_lost_through
)
SELECT
    id, revision, newest_at, steady_since, in_use, (SELECT coalesce(max(rowid), 0) FROM main.clients),
    (SELECT coalesce(max(seq), 0) FROM main.sqlite_sequence WHERE name = 'outbox'), outbox_rows, outbox_bytes, outbox_lost,
    outbox_lost_through
FROM main.store_state;

-- Ids of domains, users, groups and channels, ids of peppers and schemes of argon2: each once.
CREATE TABLE new.names (
    n INTEGER NOT NULL PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

INSERT INTO new.names (name)
SELECT domain_id FROM main.clients
UNION SELECT parent_group_id FROM main.clients WHERE parent_group_id IS NOT NULL
UNION SELECT updated_by FROM main.clients WHERE updated_by IS NOT NULL
UNION SELECT secret_scheme FROM main.clients WHERE secret_scheme IS NOT NULL
UNION SELECT substr(secret, 14, instr(substr(secret, 14), '$') - 1) FROM main.clients WHERE secret LIKE '$hmac-sha256$_%$%'
UNION SELECT secret_scheme FROM main.secret_retirements WHERE secret_scheme IS NOT NULL
UNION SELECT domain_id FROM main.secret_retirements
UNION SELECT channel_id FROM main.connections
UNION SELECT domain_id FROM main.connections
UNION SELECT created_by FROM main.clients_roles
UNION SELECT updated_by FROM main.clients_roles WHERE updated_by IS NOT NULL
UNION SELECT member_id FROM main.clients_role_members;

-- The columns Authenticate reads come first: metadata may reach into overflow pages.
CREATE TABLE new.client_rows (
    n INTEGER NOT NULL PRIMARY KEY,             -- ascends with each new client
    id BLOB NOT NULL,                           -- the UUID's 16 bytes
    domain INTEGER NOT NULL,                    -- names.n, as parent_group, secret_key, secret_scheme, updated_by
    status INTEGER NOT NULL DEFAULT 0 CHECK (status >= 0),
    secret TEXT,                                -- a hash; NULL: $hmac-sha256$<secret_key>$<secret_lookup in hex>
    secret_key INTEGER,
    secret_lookup BLOB NOT NULL,                -- the hash's digest; made of domain and secret, so unique per domain
    secret_scheme INTEGER,                      -- argon2 parameters, for chosen secrets
    name TEXT NOT NULL,
    name_folded TEXT,                           -- NFC, case-folded; NULL: the name has ASCII characters only
    tags TEXT,                                  -- JSON array of strings; NULL: []
    identity TEXT,                              -- NULL: ''
    parent_group INTEGER,
    created_at INTEGER NOT NULL,
    updated_at INTEGER,
    updated_by INTEGER,
    metadata TEXT,                              -- JSON object; NULL: {}
    private_metadata TEXT                       -- JSON object; NULL: {}
) STRICT;

INSERT INTO new.client_rows
SELECT
    c.rowid,
    uuid_bytes(c.id),
    (SELECT n FROM names WHERE name = c.domain_id),
    c.status,
    CASE WHEN k.n IS NULL THEN c.secret END,
    k.n,
    c.secret_lookup,
    (SELECT n FROM names WHERE name = c.secret_scheme),
    c.name,
    CASE WHEN c.name GLOB '*[^ -~]*' THEN c.name_folded END,
    nullif(c.tags, '[]'),
    nullif(c.identity, ''),
    (SELECT n FROM names WHERE name = c.parent_group_id),
    c.created_at,
    c.updated_at,
    (SELECT n FROM names WHERE name = c.updated_by),
    nullif(c.metadata, '{}'),
    nullif(c.private_metadata, '{}')
FROM main.clients c
LEFT JOIN names k ON k.name = substr(c.secret, 14, instr(substr(c.secret, 14), '$') - 1)
    AND c.secret = '$hmac-sha256$' || k.name || '$' || lower(hex(c.secret_lookup))
ORDER BY c.rowid;

CREATE UNIQUE INDEX new.client_rows_by_id ON client_rows (id);
-- Half of a digest is as unique as a UUID, and half as long.
CREATE UNIQUE INDEX new.client_rows_by_secret ON client_rows (substr(secret_lookup, 1, 16));
CREATE INDEX new.client_rows_by_name ON client_rows (domain, status, name, id, name_folded);
CREATE INDEX new.client_rows_by_created ON client_rows (domain, status, created_at, id);
CREATE INDEX new.client_rows_by_changed ON client_rows (domain, status, coalesce(updated_at, created_at), id);
CREATE INDEX new.client_rows_by_parent ON client_rows (parent_group) WHERE parent_group IS NOT NULL;
CREATE INDEX new.client_rows_by_domain_parent ON client_rows (domain, parent_group) WHERE parent_group IS NOT NULL;
CREATE INDEX new.client_rows_by_scheme ON client_rows (domain, secret_scheme) WHERE secret_scheme IS NOT NULL;

-- How many clients a domain has of each status: a list shows it, and must not count them.
CREATE TABLE new.totals (
    domain INTEGER NOT NULL,
    status INTEGER NOT NULL,
    clients INTEGER NOT NULL,
    PRIMARY KEY (domain, status)
) STRICT, WITHOUT ROWID;
INSERT INTO new.totals SELECT domain, status, count(*) FROM client_rows GROUP BY domain, status;

CREATE TABLE new.retirement_rows (
    lookup BLOB NOT NULL PRIMARY KEY,
    client INTEGER NOT NULL REFERENCES client_rows (n) ON DELETE CASCADE,
    domain INTEGER NOT NULL,
    secret TEXT NOT NULL,
    secret_scheme INTEGER,
    expires_at INTEGER NOT NULL,
    last_used_at INTEGER,
    retired_at INTEGER NOT NULL,
    counted_from INTEGER                        -- first use, where a wrong clock had made it: its lifetime counts from there
) STRICT, WITHOUT ROWID;
INSERT INTO new.retirement_rows
SELECT
    r.lookup, c.n, c.domain, r.secret, (SELECT n FROM names WHERE name = r.secret_scheme),
    r.expires_at, r.last_used_at, r.retired_at, r.counted_from
FROM main.secret_retirements r JOIN client_rows c ON c.id = uuid_bytes(r.client_id);
CREATE INDEX new.retirement_rows_by_client ON retirement_rows (client);
CREATE INDEX new.retirement_rows_by_expiry ON retirement_rows (expires_at);
CREATE INDEX new.retirement_rows_by_scheme ON retirement_rows (domain, secret_scheme) WHERE secret_scheme IS NOT NULL;

-- What lists search; kept in step by the program, which knows a row's old content. The newest clients have no such rows: many
-- of them together write a page once. Lists look through the newest instead.
CREATE TABLE new.tag_rows (
    domain INTEGER NOT NULL,
    tag TEXT NOT NULL,
    client INTEGER NOT NULL,
    PRIMARY KEY (domain, tag, client)
) STRICT, WITHOUT ROWID;
INSERT INTO new.tag_rows
SELECT c.domain, t.tag, c.n FROM main.client_tags t JOIN client_rows c ON c.id = uuid_bytes(t.client_id);

CREATE TABLE new.metadata_rows (
    domain INTEGER NOT NULL,
    path TEXT NOT NULL,
    value TEXT NOT NULL,
    client INTEGER NOT NULL,
    PRIMARY KEY (domain, path, value, client)
) STRICT, WITHOUT ROWID;
INSERT INTO new.metadata_rows
SELECT c.domain, m.path, m.value, c.n FROM main.client_metadata m JOIN client_rows c ON c.id = uuid_bytes(m.client_id);

CREATE TABLE new.connection_rows (
    channel INTEGER NOT NULL,
    domain INTEGER NOT NULL,
    client INTEGER NOT NULL REFERENCES client_rows (n) ON DELETE CASCADE,
    type INTEGER NOT NULL CHECK (type IN (1, 2)),
    PRIMARY KEY (channel, domain, client, type)
) STRICT, WITHOUT ROWID;
INSERT INTO new.connection_rows
SELECT (SELECT n FROM names WHERE name = k.channel_id), (SELECT n FROM names WHERE name = k.domain_id), c.n, k.type
FROM main.connections k JOIN client_rows c ON c.id = uuid_bytes(k.client_id);
CREATE INDEX new.connection_rows_by_client ON connection_rows (client);

-- A client has few roles: the one with some id is found among them, and needs no index. Each index costs bulk creation.
CREATE TABLE new.role_rows (
    client INTEGER NOT NULL REFERENCES client_rows (n) ON DELETE CASCADE,
    name TEXT NOT NULL,
    id BLOB NOT NULL,                           -- 16 bytes: client_<in hex>; else the text, after a NUL if that has 16 bytes
    actions INTEGER NOT NULL,                   -- a bit an action
    created_at INTEGER NOT NULL,
    created_by INTEGER NOT NULL,
    updated_at INTEGER,
    updated_by INTEGER,
    PRIMARY KEY (client, name)
) STRICT, WITHOUT ROWID;
INSERT INTO new.role_rows
SELECT
    c.n, r.name, role_bytes(r.id), r.actions, r.created_at, (SELECT n FROM names WHERE name = r.created_by),
    r.updated_at, (SELECT n FROM names WHERE name = r.updated_by)
FROM main.clients_roles r JOIN client_rows c ON c.id = uuid_bytes(r.entity_id);

-- One role per member per client.
CREATE TABLE new.member_rows (
    client INTEGER NOT NULL REFERENCES client_rows (n) ON DELETE CASCADE,
    member INTEGER NOT NULL,
    role BLOB NOT NULL,                         -- role_rows.id
    PRIMARY KEY (client, member)
) STRICT, WITHOUT ROWID;
INSERT INTO new.member_rows
SELECT c.n, (SELECT n FROM names WHERE name = m.member_id), role_bytes(m.role_id)
FROM main.clients_role_members m JOIN client_rows c ON c.id = uuid_bytes(m.entity_id);
CREATE INDEX new.member_rows_by_member ON member_rows (member, client);

CREATE TABLE new.peppers (
    key_id TEXT NOT NULL PRIMARY KEY,
    check_value BLOB NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO new.peppers SELECT key_id, check_value, created_at FROM main.peppers;

CREATE TABLE new.operators (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
INSERT INTO new.operators SELECT id, name, created_at FROM main.operators;

CREATE TABLE new.operator_domains (
    operator_id TEXT NOT NULL REFERENCES operators (id) ON DELETE CASCADE,
    domain_id TEXT NOT NULL,
    standing TEXT NOT NULL CHECK (standing IN ('admin', 'member')),
    PRIMARY KEY (operator_id, domain_id)
) STRICT, WITHOUT ROWID;
INSERT INTO new.operator_domains SELECT operator_id, domain_id, standing FROM main.operator_domains;

CREATE TABLE new.operator_tokens (
    digest BLOB NOT NULL PRIMARY KEY,           -- HMAC of the whole token
    key_id TEXT NOT NULL,                       -- of the pepper that made it
    operator_id TEXT NOT NULL REFERENCES operators (id) ON DELETE CASCADE,
    name TEXT NOT NULL,
    created_at INTEGER NOT NULL,
    expires_at INTEGER,
    last_used_at INTEGER,
    counted_from INTEGER,                       -- first use, where a wrong clock had made it: its lifetime counts from there
    UNIQUE (operator_id, name)
) STRICT, WITHOUT ROWID;
INSERT INTO new.operator_tokens
SELECT digest, key_id, operator_id, name, created_at, expires_at, last_used_at, counted_from FROM main.operator_tokens;

CREATE TABLE new.revocations (
    revision INTEGER NOT NULL PRIMARY KEY,
    client_id TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
INSERT INTO new.revocations SELECT revision, client_id, at FROM main.revocations;
CREATE INDEX new.revocations_by_time ON revocations (at);

CREATE TABLE new.outbox (
    seq INTEGER NOT NULL PRIMARY KEY,           -- from store_state.outbox_seq
    stream TEXT NOT NULL,
    client_id TEXT NOT NULL,
    payload BLOB NOT NULL,
    occurred_at INTEGER NOT NULL
) STRICT;
INSERT INTO new.outbox SELECT seq, stream, client_id, payload, occurred_at FROM main.outbox;

-- One row: how far the outbox has been sent, what was dropped before it could be, and who sends.
CREATE TABLE new.relay (
    id INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    store_id TEXT NOT NULL,                     -- of this store and no other: a part of each event's id
    sent_through INTEGER NOT NULL DEFAULT 0,    -- sequence number of the newest event sent
    sent_at INTEGER,                            -- when events were last noted as sent
    gap_rows INTEGER NOT NULL DEFAULT 0,        -- events dropped that nobody was told of yet
    gap_first INTEGER NOT NULL DEFAULT 0,       -- sequence number of the first of them
    gap_last INTEGER NOT NULL DEFAULT 0,        -- and of the last
    lease_owner TEXT,
    lease_until INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO new.relay
SELECT id, store_id, sent_through, sent_at, gap_rows, gap_first, gap_last, lease_owner, lease_until FROM main.relay;

CREATE VIEW new.client_ids AS
SELECT
    n,
    lower(
        substr(hex(id), 1, 8) || '-' || substr(hex(id), 9, 4) || '-' || substr(hex(id), 13, 4) || '-' || substr(hex(id), 17, 4)
        || '-' || substr(hex(id), 21)
    ) AS id,
    id AS id_bytes                              -- sorts like id, by an index
FROM client_rows;

CREATE VIEW new.clients AS
SELECT
    i.id AS id, d.name AS domain_id, c.status,
    coalesce(c.secret, '$hmac-sha256$' || k.name || '$' || lower(hex(c.secret_lookup))) AS secret, c.secret_lookup,
    s.name AS secret_scheme, c.name, coalesce(c.name_folded, lower(c.name)) AS name_folded, coalesce(c.tags, '[]') AS tags,
    coalesce(c.identity, '') AS identity, g.name AS parent_group_id, c.created_at, c.updated_at,
    coalesce(c.updated_at, c.created_at) AS changed_at, u.name AS updated_by, coalesce(c.metadata, '{}') AS metadata,
    coalesce(c.private_metadata, '{}') AS private_metadata, c.id AS id_bytes
FROM client_rows c
JOIN client_ids i ON i.n = c.n
JOIN names d ON d.n = c.domain
LEFT JOIN names k ON k.n = c.secret_key
LEFT JOIN names s ON s.n = c.secret_scheme
LEFT JOIN names g ON g.n = c.parent_group
LEFT JOIN names u ON u.n = c.updated_by;

CREATE VIEW new.secret_retirements AS
SELECT
    r.lookup, i.id AS client_id, d.name AS domain_id, r.secret, s.name AS secret_scheme, r.expires_at, r.last_used_at,
    r.retired_at, r.counted_from
FROM retirement_rows r
JOIN client_ids i ON i.n = r.client
JOIN names d ON d.n = r.domain
LEFT JOIN names s ON s.n = r.secret_scheme;

CREATE VIEW new.connections AS
SELECT h.name AS channel_id, d.name AS domain_id, i.id AS client_id, k.type, i.id_bytes
FROM connection_rows k
JOIN names h ON h.n = k.channel
JOIN names d ON d.n = k.domain
JOIN client_ids i ON i.n = k.client;

CREATE VIEW new.clients_roles AS
SELECT
    i.id AS entity_id, r.name,
    CASE
        WHEN length(r.id) = 16 THEN 'client_' || lower(hex(r.id))
        WHEN substr(r.id, 1, 1) = x'00' THEN CAST(substr(r.id, 2) AS TEXT)
        ELSE CAST(r.id AS TEXT)
    END AS id,
    r.actions, r.created_at, b.name AS created_by, r.updated_at, u.name AS updated_by, i.id_bytes
FROM role_rows r
JOIN client_ids i ON i.n = r.client
JOIN names b ON b.n = r.created_by
LEFT JOIN names u ON u.n = r.updated_by;

CREATE VIEW new.clients_role_members AS
SELECT
    i.id AS entity_id, b.name AS member_id,
    CASE
        WHEN length(m.role) = 16 THEN 'client_' || lower(hex(m.role))
        WHEN substr(m.role, 1, 1) = x'00' THEN CAST(substr(m.role, 2) AS TEXT)
        ELSE CAST(m.role AS TEXT)
    END AS role_id,
    i.id_bytes
FROM member_rows m
JOIN client_ids i ON i.n = m.client
JOIN names b ON b.n = m.member;
