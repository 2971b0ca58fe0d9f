"""Sheets of labels with QR codes, from a file of secrets: without a service, a data directory or a network."""
