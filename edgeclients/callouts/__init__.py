"""Callouts: somebody else is asked before something is done."""
