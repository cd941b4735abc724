"""Figures: functions from JSON data to the text of an SVG. The only place that imports matplotlib; no torch."""
