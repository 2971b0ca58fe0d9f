-- Clients and what hangs on them. Column names are those of the published schema; times are microseconds since 1970 UTC, and
-- lengths are the program's affair. Text sorts and compares by code point, whatever the database's own collation.

-- One row: numbers that belong to the store as a whole. Every commit passes through it, as the last thing it locks, so that
-- they are given out in the order in which commits become visible.
CREATE TABLE store_state (
    id smallint PRIMARY KEY CHECK (id = 1),
    revision bigint NOT NULL DEFAULT 0,         -- of the newest revocation; never reused
    newest_at bigint NOT NULL DEFAULT 0,        -- the newest time ever stored
    outbox_seq bigint NOT NULL DEFAULT 0,       -- of the newest event; never reused
    outbox_rows bigint NOT NULL DEFAULT 0,
    outbox_bytes bigint NOT NULL DEFAULT 0,
    outbox_lost bigint NOT NULL DEFAULT 0,      -- events dropped at the bound, ever
    outbox_lost_through bigint NOT NULL DEFAULT 0  -- sequence number of the last of them
) WITH (fillfactor = 10);
INSERT INTO store_state (id) VALUES (1);

CREATE TABLE peppers (
    key_id text COLLATE "C" PRIMARY KEY,
    check_value bytea NOT NULL,
    created_at bigint NOT NULL
);

CREATE TABLE clients (
    id text COLLATE "C" PRIMARY KEY,
    domain_id text COLLATE "C" NOT NULL,
    status smallint NOT NULL DEFAULT 0 CHECK (status >= 0),
    secret text COLLATE "C" NOT NULL,           -- a hash
    secret_lookup bytea NOT NULL,               -- its digest; made of domain and secret, so unique per domain
    secret_scheme text COLLATE "C",             -- argon2 parameters, for chosen secrets
    name text COLLATE "C" NOT NULL,
    name_folded text COLLATE "C" NOT NULL,      -- NFC, case-folded
    tags text[] COLLATE "C" NOT NULL,
    identity text COLLATE "C" NOT NULL,
    parent_group_id text COLLATE "C",
    created_at bigint NOT NULL,
    updated_at bigint,
    changed_at bigint NOT NULL,                 -- updated_at, else created_at
    updated_by text COLLATE "C",
    metadata jsonb NOT NULL,                    -- what lists search
    metadata_text text COLLATE "C" NOT NULL,    -- the same JSON object as it was written: what is answered
    private_metadata json NOT NULL
);
CREATE UNIQUE INDEX clients_secret_lookup ON clients (secret_lookup);
CREATE INDEX clients_by_name ON clients (domain_id, status, name, id);
CREATE INDEX clients_by_created ON clients (domain_id, status, created_at, id);
CREATE INDEX clients_by_changed ON clients (domain_id, status, changed_at, id);
CREATE INDEX clients_by_parent ON clients (parent_group_id) WHERE parent_group_id IS NOT NULL;
CREATE INDEX clients_by_scheme ON clients (domain_id, secret_scheme) WHERE secret_scheme IS NOT NULL;
CREATE INDEX clients_by_tag ON clients USING gin (tags);
CREATE INDEX clients_by_metadata ON clients USING gin (metadata jsonb_path_ops);

CREATE TABLE secret_retirements (
    lookup bytea PRIMARY KEY,
    client_id text COLLATE "C" NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    domain_id text COLLATE "C" NOT NULL,
    secret text COLLATE "C" NOT NULL,
    secret_scheme text COLLATE "C",
    expires_at bigint NOT NULL,
    last_used_at bigint
);
CREATE INDEX secret_retirements_by_client ON secret_retirements (client_id);
CREATE INDEX secret_retirements_by_expiry ON secret_retirements (expires_at);
CREATE INDEX secret_retirements_by_scheme ON secret_retirements (domain_id, secret_scheme) WHERE secret_scheme IS NOT NULL;

CREATE TABLE connections (
    channel_id text COLLATE "C" NOT NULL,
    domain_id text COLLATE "C" NOT NULL,
    client_id text COLLATE "C" NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    type smallint NOT NULL CHECK (type IN (1, 2)),
    PRIMARY KEY (channel_id, domain_id, client_id, type)
);
CREATE INDEX connections_by_client ON connections (client_id);

-- A client has few roles: the one with some id is found among them, and needs no index. Each index costs bulk creation.
CREATE TABLE clients_roles (
    entity_id text COLLATE "C" NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    name text COLLATE "C" NOT NULL,
    id text COLLATE "C" NOT NULL,
    actions integer NOT NULL,                   -- a bit an action
    created_at bigint NOT NULL,
    created_by text COLLATE "C" NOT NULL,
    updated_at bigint,
    updated_by text COLLATE "C",
    PRIMARY KEY (entity_id, name)
);

-- One role per member per client.
CREATE TABLE clients_role_members (
    entity_id text COLLATE "C" NOT NULL REFERENCES clients (id) ON DELETE CASCADE,
    member_id text COLLATE "C" NOT NULL,
    role_id text COLLATE "C" NOT NULL,
    PRIMARY KEY (entity_id, member_id)
);
CREATE INDEX clients_role_members_by_member ON clients_role_members (member_id, entity_id);

CREATE TABLE revocations (
    revision bigint PRIMARY KEY,
    client_id text COLLATE "C" NOT NULL,
    at bigint NOT NULL
);
CREATE INDEX revocations_by_time ON revocations (at);

CREATE TABLE outbox (
    seq bigint PRIMARY KEY,
    stream text COLLATE "C" NOT NULL,
    client_id text COLLATE "C" NOT NULL,
    payload bytea NOT NULL,
    occurred_at bigint NOT NULL
);
