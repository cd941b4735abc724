"""How positions of a row exchange information. Every entry is causal."""

from sevenepochs.config import Config


class AttentionConfig(Config):
    """Slot `model.attention`: `build(d_model, n_head, block_size)` gives a module x_BTD -> x_BTD."""
