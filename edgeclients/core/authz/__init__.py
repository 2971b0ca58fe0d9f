"""Authorisation of callers."""
