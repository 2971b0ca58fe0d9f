"""Clients of other services over gRPC: one module per service, on a common link."""
