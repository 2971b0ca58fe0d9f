"""Sends events from the outbox to streams."""
