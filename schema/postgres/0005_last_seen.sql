-- When clients last proved themselves. Each process writes what is new now and then, so what is here is a little old.
CREATE TABLE last_seen (
    client_id text COLLATE "C" PRIMARY KEY REFERENCES clients (id) ON DELETE CASCADE,
    at bigint NOT NULL
);
