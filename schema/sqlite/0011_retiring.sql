-- Retiring secrets of a domain, the first to expire first.
CREATE INDEX retirement_rows_by_domain ON retirement_rows (domain, expires_at);
