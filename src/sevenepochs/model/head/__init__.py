"""From the last hidden state to logits over the vocabulary."""

from sevenepochs.config import Config


class HeadConfig(Config):
    """Slot `model.head`: `build(embedding)` gives a module h_BTD -> logits_BTV."""
