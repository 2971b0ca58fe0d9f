"""Other services, asked over gRPC: one module a service, on the link they share."""
