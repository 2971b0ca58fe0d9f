"""The command line: one module a noun."""

import os

# gRPC's C library writes a line for what is wrong with anybody's call, to standard error, past our log; it looks this up once,
# when it is imported.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
