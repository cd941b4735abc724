"""Questions about finished runs: what is computed, stored, drawn and printed."""
