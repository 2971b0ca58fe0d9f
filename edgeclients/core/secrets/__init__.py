"""Clients' secrets: how they are kept, made and replaced."""
