"""Recipes: functions that return an Experiment, most of them another recipe with one change. The story, the ladder, the
records, the trials beside them and the demo have one file each. `listing` reads them as text, `catalog` runs them."""

RECORD_RECIPE = "letters"  # what `python train.py` runs: the best single-track recipe so far
