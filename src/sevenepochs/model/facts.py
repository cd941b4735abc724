"""Facts about a title (link domain, date): learned vectors added to the `<eos>` that opens it.

Every later token of the title attends to that `<eos>`, and no row gets longer. The facts come inside its id
(data/facts.py). In training they are dropped at times, so that one model answers with and without them.

B batch, T position in the row, D model, F facts.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sevenepochs.config import Config, check_range
from sevenepochs.errors import UserError
from sevenepochs.model.dropout import Dropout, check_rate, kept

_LARGEST_ID = 2**62
_INDICES = 2**31 - 1  # a prime: remainders are as good as the hash


@dataclass(frozen=True)
class Facts(Config, kind="facts"):
    """Slot `model.facts`.

    Attributes:
        columns: of the corpus; "url" is a link, "time" a time, "posted:time" says what a column holds.
        n_values: most frequent values of each fact that have a vector of their own; the rest share one.
        dropout: the rate at which a title's facts are dropped all together; and each again on its own.
    """

    columns: tuple[str, ...] = ("url",)
    n_values: int = 1000
    dropout: float = 0.1

    def __post_init__(self) -> None:
        check_range("facts.n_values", self.n_values, 1, 1_000_000)
        check_rate("facts.dropout", self.dropout)
        if not self.columns or not all(self.columns) or len(set(self.columns)) < len(self.columns):
            raise UserError(f"facts.columns = {','.join(self.columns)!r} must name different columns, e.g. url,time")

    @property
    def size(self) -> int:
        """Numbers that a fact may have: not told, none, other, and the values."""
        return self.n_values + 3

    def build(self, vocab_size: int, d_model: int) -> FactVectors:
        if vocab_size * self.size ** len(self.columns) > _LARGEST_ID:
            raise UserError(
                f"model.facts: {len(self.columns)} facts of {self.n_values:,} values are too many for one id"
            )
        return FactVectors(self, vocab_size, d_model)


class FactVectors(nn.Module):
    def __init__(self, config: Facts, vocab_size: int, d_model: int) -> None:
        super().__init__()
        self.vocab_size, self.size, self.n_facts = vocab_size, config.size, len(config.columns)
        # from zero, as positions: a value that training hardly shows says nothing
        self.vectors = nn.Parameter(torch.zeros(self.n_facts * self.size, d_model))
        self.dropout = Dropout(config.dropout)  # of whole facts: only its key and rate are used

    def forward(self, x_BT: Tensor) -> tuple[Tensor, Tensor]:
        """Return the plain ids, and the sum of the told facts' vectors (B, T, D), zero where none is told."""
        code_BT, ids_BT = x_BT // self.vocab_size, x_BT % self.vocab_size
        facts = torch.arange(self.n_facts, device=x_BT.device)
        number_BTF = code_BT.unsqueeze(-1) // self.size**facts % self.size
        told_BTF = number_BTF > 0
        if self.training and self.dropout.p > 0.0:
            told_BTF = told_BTF & self._kept(x_BT)
        vectors_BTFD = F.embedding(number_BTF + self.size * facts, self.vectors)
        return ids_BT, (vectors_BTFD * told_BTF.unsqueeze(-1)).sum(-2)

    def _kept(self, x_BT: Tensor) -> Tensor:
        """A mask (B, T, F), a function of the step, the row's content and the place in it: R-Drop's two passes of a row
        agree in what they were told, or the pull between them would teach the model to ignore it."""
        place_BT = x_BT.sum(-1, keepdim=True) * x_BT.shape[1] + torch.arange(x_BT.shape[1], device=x_BT.device)
        draws = torch.arange(self.n_facts + 1, device=x_BT.device)  # one for all facts, one for each
        index_BTF = (place_BT.unsqueeze(-1) * len(draws) + draws) % _INDICES
        kept_BTF = kept(index_BTF.int(), self.dropout.key, self.dropout.p)
        return kept_BTF[..., :1] & kept_BTF[..., 1:]
