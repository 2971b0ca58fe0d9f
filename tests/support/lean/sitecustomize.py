"""Hides a library that only the tests need, and that the web framework loads where it is installed: it takes 9 MB."""

import sys

sys.modules["pydantic"] = None  # type: ignore[assignment]
