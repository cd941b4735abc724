"""Training: one step (step.py), the loop (trainer.py), saving and resuming (checkpoint.py), the machine (machine.py)."""
