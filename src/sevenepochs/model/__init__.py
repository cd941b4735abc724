"""A GPT from slots: attention, position, norm, mlp, residual, head, init. gpt.py assembles them."""
