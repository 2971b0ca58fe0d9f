"""Secrets of clients: stored forms, creation and replacement."""
