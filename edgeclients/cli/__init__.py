"""The command line: one module per noun."""

import os

# gRPC's C library writes a line to standard error, bypassing the log, for each faulty call. It reads this variable on import.
os.environ.setdefault("GRPC_VERBOSITY", "NONE")
