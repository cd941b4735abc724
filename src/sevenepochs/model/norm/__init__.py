"""Normalisation over the model dimension."""

from sevenepochs.config import Config


class NormConfig(Config):
    """Slot `model.norm`: `build(d_model)` gives a module x_BTD -> x_BTD."""
