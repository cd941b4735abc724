"""Recipes: functions that return an Experiment, most of them another recipe with one change. Story, ladder, records,
trials and demo have one file each. `listing` reads them as text, `catalog` runs them."""

RECORD_RECIPE = "letters"  # the best single-track recipe so far; `python train.py` runs it
