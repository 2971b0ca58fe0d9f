-- Who changed what. Of each ring the newest rows stay; they outlive their clients.
CREATE SEQUENCE journal_n;
CREATE TABLE journal (
    ring smallint NOT NULL,                     -- 0: changes; 1: the clients of a bulk or an import
    n bigint NOT NULL DEFAULT nextval('journal_n'),
    at bigint NOT NULL,
    operation text COLLATE "C" NOT NULL,
    domain_id text COLLATE "C" NOT NULL,        -- "" for none, as client_id
    client_id text COLLATE "C" NOT NULL,
    user_id text COLLATE "C" NOT NULL,
    attributes text COLLATE "C" NOT NULL,       -- JSON object
    PRIMARY KEY (ring, n)
);
CREATE INDEX journal_by_client ON journal (client_id, ring, n) WHERE client_id <> '';
CREATE INDEX journal_by_domain ON journal (domain_id, ring, n);

ALTER TABLE store_state ADD COLUMN journal_rows bigint NOT NULL DEFAULT 0;      -- of ring 0
ALTER TABLE store_state ADD COLUMN journal_bytes bigint NOT NULL DEFAULT 0;
ALTER TABLE store_state ADD COLUMN journal_short_rows bigint NOT NULL DEFAULT 0;   -- of ring 1
ALTER TABLE store_state ADD COLUMN journal_short_bytes bigint NOT NULL DEFAULT 0;

-- Denied logins of an hour: of each client, and of all unknown names together.
CREATE TABLE denials (
    hour bigint NOT NULL,                       -- when it began
    client_id text COLLATE "C" NOT NULL,        -- "" for unknown names
    domain_id text COLLATE "C" NOT NULL,
    count bigint NOT NULL,
    at bigint NOT NULL,                         -- when the last was denied
    n bigint NOT NULL,                          -- of the newest entry of the journal when the first was counted
    PRIMARY KEY (hour, client_id)
);
CREATE INDEX denials_by_client ON denials (client_id, hour);
