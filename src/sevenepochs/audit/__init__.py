"""Audit: read anybody's run and say what its number is worth. Logs and source only; no torch, nothing is executed."""
