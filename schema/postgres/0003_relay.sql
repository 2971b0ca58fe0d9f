-- One row: how far the outbox has been sent, what was dropped before it could be, and who sends.
CREATE TABLE relay (
    id smallint PRIMARY KEY CHECK (id = 1),
    store_id text COLLATE "C" NOT NULL,         -- of this store and no other: a part of each event's id
    sent_through bigint NOT NULL DEFAULT 0,     -- sequence number of the newest event sent
    sent_at bigint,                             -- when events were last noted as sent
    gap_rows bigint NOT NULL DEFAULT 0,         -- events dropped that nobody was told of yet
    gap_first bigint NOT NULL DEFAULT 0,        -- sequence number of the first of them
    gap_last bigint NOT NULL DEFAULT 0,         -- and of the last
    lease_owner text COLLATE "C",
    lease_until bigint NOT NULL DEFAULT 0       -- by the server's own clock: those of its callers differ
);
INSERT INTO relay (id, store_id, gap_rows, gap_first, gap_last)
SELECT 1, replace(gen_random_uuid()::text, '-', ''), outbox_lost, (outbox_lost > 0)::int, outbox_lost_through FROM store_state;
