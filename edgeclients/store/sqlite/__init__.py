"""The store of a gateway: one SQLite file, one writer thread, reads in the event loop."""
