"""Whose token this is: parsing, checking, remembering."""
