-- What it takes to judge the clock, and what a clock that was wrong once has left behind.

-- When the clock was last found more than a day from where it should be; 0: never.
ALTER TABLE store_state ADD COLUMN steady_since INTEGER NOT NULL DEFAULT 0;

-- When a secret was retired. Of older rows it is known only that none lives longer than 30 days.
ALTER TABLE secret_retirements ADD COLUMN retired_at INTEGER NOT NULL DEFAULT 0;
UPDATE secret_retirements SET retired_at = expires_at - 2592000000000;

-- When one that a wrong clock had made was first used: its lifetime counts from there.
ALTER TABLE secret_retirements ADD COLUMN counted_from INTEGER;
ALTER TABLE operator_tokens ADD COLUMN counted_from INTEGER;

UPDATE clients SET updated_at = created_at, changed_at = created_at WHERE updated_at < created_at;
UPDATE clients_roles SET updated_at = created_at WHERE updated_at < created_at;

-- Whether a service has this file in use: one that says so and has no -wal beside it was copied without, or has lost it.
ALTER TABLE store_state ADD COLUMN in_use INTEGER NOT NULL DEFAULT 0;
