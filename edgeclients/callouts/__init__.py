"""Callouts: external services that are asked before an operation."""
