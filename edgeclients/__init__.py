"""Registry and authentication of IoT clients: one process on a gateway."""

__version__ = "0.1.0"
RELEASED = "2026-11-26"  # a clock that shows an earlier day is evidently wrong
