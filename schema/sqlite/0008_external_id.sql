-- The serial number of a device, or whatever else its owner knows it by: unique in its domain.
ALTER TABLE client_rows ADD COLUMN external_id TEXT;    -- NULL: none
CREATE UNIQUE INDEX client_rows_by_external_id ON client_rows (domain, external_id) WHERE external_id IS NOT NULL;

DROP VIEW clients;
CREATE VIEW clients AS
SELECT
    i.id AS id, d.name AS domain_id, c.status,
    coalesce(c.secret, '$hmac-sha256$' || k.name || '$' || lower(hex(c.secret_lookup))) AS secret, c.secret_lookup,
    s.name AS secret_scheme, c.name, coalesce(c.name_folded, lower(c.name)) AS name_folded, coalesce(c.tags, '[]') AS tags,
    coalesce(c.identity, '') AS identity, coalesce(c.external_id, '') AS external_id, g.name AS parent_group_id, c.created_at,
    c.updated_at, coalesce(c.updated_at, c.created_at) AS changed_at, u.name AS updated_by,
    coalesce(c.metadata, '{}') AS metadata, coalesce(c.private_metadata, '{}') AS private_metadata, c.id AS id_bytes
FROM client_rows c
JOIN client_ids i ON i.n = c.n
JOIN names d ON d.n = c.domain
LEFT JOIN names k ON k.n = c.secret_key
LEFT JOIN names s ON s.n = c.secret_scheme
LEFT JOIN names g ON g.n = c.parent_group
LEFT JOIN names u ON u.n = c.updated_by;
