"""Registry and authentication of IoT clients: one process on a gateway."""

__version__ = "0.1.0"
