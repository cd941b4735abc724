"""Title numbers: attention that stays inside a title.

A row holds several unrelated titles (document masking; Zhao et al. 2024, "Analysing the impact of sequence
composition", arXiv:2402.13991). The `<eos>` between two titles opens the second, which is predicted from it alone.

B batch, S position of the whole row.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from sevenepochs.config import Config, check_range
from sevenepochs.model.context import Context


@dataclass(frozen=True)
class Titles(Config, kind="titles"):
    """Slot `model.titles`: attention sees its own title only. `eos_id`: the id that separates titles, 1 in every
    tokenizer of this package.
    """

    eos_id: int = 1

    def __post_init__(self) -> None:
        check_range("titles.eos_id", self.eos_id, 0)

    def enter(self, ids_BS: Tensor, context: Context) -> None:
        """Set the context's titles; `ids_BS` is the whole row."""
        context.title_BS = (ids_BS == self.eos_id).long().cumsum(-1)
