"""The gRPC port on grpcio's server (`grpc.aio`)."""
