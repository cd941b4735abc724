"""Where a token stands: vectors added at the input (learned, none), or rotations inside attention (rope)."""

from sevenepochs.config import Config


class PositionConfig(Config):
    """Slot `model.position`: `build(block_size, d_model)` gives a module x_BTD -> x_BTD."""
