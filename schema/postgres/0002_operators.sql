-- Local operators: who may call besides the standalone operator, and with which tokens.

CREATE TABLE operators (
    id text COLLATE "C" PRIMARY KEY,
    name text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL
);

CREATE TABLE operator_domains (
    operator_id text COLLATE "C" NOT NULL REFERENCES operators (id) ON DELETE CASCADE,
    domain_id text COLLATE "C" NOT NULL,
    standing text COLLATE "C" NOT NULL CHECK (standing IN ('admin', 'member')),
    PRIMARY KEY (operator_id, domain_id)
);

CREATE TABLE operator_tokens (
    digest bytea PRIMARY KEY,                   -- HMAC of the whole token
    key_id text COLLATE "C" NOT NULL,           -- of the pepper that made it
    operator_id text COLLATE "C" NOT NULL REFERENCES operators (id) ON DELETE CASCADE,
    name text COLLATE "C" NOT NULL,
    created_at bigint NOT NULL,
    expires_at bigint,
    last_used_at bigint,
    CONSTRAINT operator_tokens_name UNIQUE (operator_id, name)
);
