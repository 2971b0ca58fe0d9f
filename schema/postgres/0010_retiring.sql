-- Retiring secrets of a domain, the first to expire first.
CREATE INDEX secret_retirements_by_domain ON secret_retirements (domain_id, expires_at, client_id);
