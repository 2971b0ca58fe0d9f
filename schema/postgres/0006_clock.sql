-- What it takes to judge the clock, and what a clock that was wrong once has left behind.

-- When the clock was last found more than a day from where it should be; 0: never.
ALTER TABLE store_state ADD COLUMN steady_since bigint NOT NULL DEFAULT 0;

-- When a secret was retired. Of older rows it is known only that none lives longer than 30 days.
ALTER TABLE secret_retirements ADD COLUMN retired_at bigint NOT NULL DEFAULT 0;
UPDATE secret_retirements SET retired_at = expires_at - 2592000000000;

-- When one that a wrong clock had made was first used: its lifetime counts from there.
ALTER TABLE secret_retirements ADD COLUMN counted_from bigint;
ALTER TABLE operator_tokens ADD COLUMN counted_from bigint;

UPDATE clients SET updated_at = created_at, changed_at = created_at WHERE updated_at < created_at;
UPDATE clients_roles SET updated_at = created_at WHERE updated_at < created_at;
