"""The output matrix is the token embedding itself (Press & Wolf 2017, arXiv:1608.05859), no bias, as stock."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from sevenepochs.model.head import HeadConfig


@dataclass(frozen=True)
class Tied(HeadConfig):
    def build(self, embedding: nn.Embedding) -> nn.Module:
        return TiedHead(embedding)


class TiedHead(nn.Module):
    def __init__(self, embedding: nn.Embedding) -> None:
        super().__init__()
        self.embedding = embedding

    def forward(self, h_BTD: Tensor) -> Tensor:
        return F.linear(h_BTD, self.embedding.weight)
