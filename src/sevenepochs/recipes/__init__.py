"""Recipes: functions that return an Experiment, each derived from another. One file each, so that `list` can read
names and docstrings without importing torch."""

RECORD_RECIPE = "letters"  # what `python train.py` runs: the best single-track recipe so far
