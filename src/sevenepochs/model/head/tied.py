"""The output matrix is the token embedding itself (Press & Wolf 2017, arXiv:1608.05859), no bias, as stock."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from sevenepochs.model.embedding import Embedding
from sevenepochs.model.head import HeadConfig, LinearHead


@dataclass(frozen=True)
class Tied(HeadConfig, kind="tied"):
    def build(self, embedding: Embedding) -> nn.Module:
        return TiedHead(embedding)


class TiedHead(LinearHead):
    def __init__(self, embedding: Embedding) -> None:
        super().__init__()
        self.embedding = embedding

    @property
    def weight_VD(self) -> Tensor:
        return self.embedding.weight
