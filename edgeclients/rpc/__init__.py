"""gRPC: decode, call one use case, encode. Nothing is decided here."""
