"""Clients from tables and to tables: import and export."""
