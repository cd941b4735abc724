"""Runs and results judged side by side: pairing, verdicts, seed noise, the ladder."""
