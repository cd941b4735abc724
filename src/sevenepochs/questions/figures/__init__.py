"""Shared drawing: the style of all figures, and figures of other things (curves, ladder, speed). No torch;
matplotlib is imported where it draws."""
