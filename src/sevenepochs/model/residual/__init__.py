"""How a branch (attention or MLP) joins the residual stream."""

from sevenepochs.config import Config


class ResidualConfig(Config):
    """Slot `model.residual`: `build(norm, branch, d_model)` gives a module x_BTD -> x_BTD."""
