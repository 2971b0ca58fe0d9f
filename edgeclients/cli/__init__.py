"""The command line: one module per noun."""

import os

# gRPC's C library writes a line to standard error, not to the log, for each faulty call. It reads this variable once, on import.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
