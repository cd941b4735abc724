"""Questions about runs: one file computes, draws and prints an answer; `registry.py` lists them."""
