"""Hides libraries that only the tests need, and that others load where they are installed: together they take 10 MB."""

import sys

for name in ("annotated_types", "attr", "attrs", "grpc_tools", "pydantic"):
    sys.modules[name] = None  # type: ignore[assignment]
