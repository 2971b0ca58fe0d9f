-- Which parent groups a domain's clients have: asked for each list of somebody who sees clients by their group.

CREATE INDEX clients_by_domain_parent ON clients (domain_id, parent_group_id) WHERE parent_group_id IS NOT NULL;
