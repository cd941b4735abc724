"""A GPT from slots (embedding, position, attention, norm, mlp, residual, skip, titles, head, init), made in gpt.py."""
