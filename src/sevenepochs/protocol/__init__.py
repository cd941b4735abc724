"""The budget and the metrics. Small, never casually edited; tests hold their hashes."""
