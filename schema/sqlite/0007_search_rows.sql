-- What lists search: a row holds up to 2,048 clients that have a tag, a metadata value or a status, and not one of them. So
-- a list finds what several filters have in common without looking at each client.
--
-- The program fills the table, when it starts: `indexed_through` says how far it has come.

CREATE TABLE search_rows (
    domain INTEGER NOT NULL,
    path TEXT NOT NULL,                         -- 'tag', 'status' or of a metadata value; those begin with '.' or '#'
    value TEXT NOT NULL,
    block INTEGER NOT NULL,                     -- client_rows.n / 2048
    clients BLOB NOT NULL,                      -- what is left of n: 16-bit numbers, the low byte first; or 256 bytes, a bit each
    PRIMARY KEY (domain, path, value, block)
) STRICT, WITHOUT ROWID;

DROP TABLE tag_rows;
DROP TABLE metadata_rows;
UPDATE store_state SET indexed_through = 0 WHERE id = 1;
