"""The position-wise network of a block."""

from sevenepochs.config import Config


class MLPConfig(Config):
    """Slot `model.mlp`: `build(d_model)` gives a module x_BTD -> x_BTD; the residual slot adds dropout after it."""
