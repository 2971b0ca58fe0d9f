-- Who changed what. Of each ring the newest rows stay; they outlive their clients.
CREATE TABLE journal_rows (
    ring INTEGER NOT NULL,                      -- 0: changes; 1: the clients of a bulk or an import
    n INTEGER NOT NULL,                         -- from store_state.journal_seq
    at INTEGER NOT NULL,
    operation INTEGER NOT NULL,                 -- names.n, as domain and user
    domain INTEGER NOT NULL,                    -- of "" for none, as client
    client BLOB NOT NULL,                       -- the UUID's 16 bytes
    user INTEGER NOT NULL,
    attributes TEXT,                            -- JSON object; NULL: {}
    PRIMARY KEY (ring, n)
) STRICT, WITHOUT ROWID;
CREATE INDEX journal_rows_by_client ON journal_rows (client) WHERE client <> x'';

CREATE VIEW journal AS
SELECT
    ring, n, at, (SELECT name FROM names WHERE names.n = operation) AS operation,
    (SELECT name FROM names WHERE names.n = domain) AS domain_id,
    CASE client WHEN x'' THEN '' ELSE lower(
        substr(hex(client), 1, 8) || '-' || substr(hex(client), 9, 4) || '-' || substr(hex(client), 13, 4) || '-'
        || substr(hex(client), 17, 4) || '-' || substr(hex(client), 21)
    ) END AS client_id,
    (SELECT name FROM names WHERE names.n = user) AS user_id, coalesce(attributes, '{}') AS attributes
FROM journal_rows;

ALTER TABLE store_state ADD COLUMN journal_seq INTEGER NOT NULL DEFAULT 0;      -- of the newest row; never reused
ALTER TABLE store_state ADD COLUMN journal_rows INTEGER NOT NULL DEFAULT 0;     -- of ring 0
ALTER TABLE store_state ADD COLUMN journal_bytes INTEGER NOT NULL DEFAULT 0;
ALTER TABLE store_state ADD COLUMN journal_short_rows INTEGER NOT NULL DEFAULT 0;  -- of ring 1
ALTER TABLE store_state ADD COLUMN journal_short_bytes INTEGER NOT NULL DEFAULT 0;
