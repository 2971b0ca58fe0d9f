"""gRPC transport: decode, call one use case, encode. It holds no business rules."""
