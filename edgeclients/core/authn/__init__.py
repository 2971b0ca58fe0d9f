"""Authentication of clients: parse a token, check it, cache the result."""
