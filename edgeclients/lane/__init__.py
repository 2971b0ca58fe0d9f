"""A small, strict HTTP/2 server for gRPC: transport only, it knows nothing of what it carries (RFC 9113, RFC 7541)."""
