-- One row: how far the outbox has been sent, what was dropped before it could be, and who sends.
CREATE TABLE relay (
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
INSERT INTO relay (id, store_id, gap_rows, gap_first, gap_last)
SELECT 1, lower(hex(randomblob(16))), outbox_lost, outbox_lost > 0, outbox_lost_through FROM store_state;
