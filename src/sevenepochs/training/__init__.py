"""Training: a run (trainer.py) is setup (session.py), fit (loop.py, step.py) and conclude (conclude.py)."""
