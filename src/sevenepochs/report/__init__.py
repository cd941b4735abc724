"""Text made from results/: reads JSON only, no torch."""
