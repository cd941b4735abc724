"""Training: one step (step.py), the loop (trainer.py), resuming (checkpoint.py), the machine (machine.py)."""
