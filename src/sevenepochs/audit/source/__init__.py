"""Somebody's training program, read and never executed: its ten places, its settings, and the rules it breaks."""
