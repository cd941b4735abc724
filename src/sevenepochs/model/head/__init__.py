"""From the last hidden state to logits over the vocabulary."""

from __future__ import annotations

from abc import ABC, abstractmethod

from torch import nn

from sevenepochs.config import Config


class HeadConfig(Config, ABC):
    """Slot `model.head`."""

    @abstractmethod
    def build(self, embedding: nn.Embedding) -> nn.Module:
        """A module h_BTD -> logits_BTV; it may share the embedding's weights."""
