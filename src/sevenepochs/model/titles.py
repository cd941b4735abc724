"""Title numbers: attention that stays inside a title, and positions that restart with it.

A row holds several unrelated titles (document masking; Zhao et al. 2024, "Analysing the impact of sequence
composition", arXiv:2402.13991). The `<eos>` between two titles either "opens" the second, which is then predicted from
it alone, or "closes" the first: then the second title's first word is predicted from the first title, and its second
word does not see the `<eos>`.

B batch, S position of the whole row.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from sevenepochs.config import Config, check_choice, check_range
from sevenepochs.model.context import Context

Eos = Literal["opens", "closes"]


@dataclass(frozen=True)
class Titles(Config, kind="titles"):
    """Slot `model.titles`. `mask`: attention sees its own title only. `restart_positions`: each title counts from 0.
    `eos_id`: the id that separates titles, 1 in every tokenizer of this package.
    """

    eos: Eos = "opens"
    mask: bool = True
    restart_positions: bool = False
    eos_id: int = 1

    def __post_init__(self) -> None:
        check_choice("titles.eos", self.eos, Eos)
        check_range("titles.eos_id", self.eos_id, 0)

    def enter(self, ids_BS: Tensor, n_tokens: int, context: Context) -> None:
        """Set the context's titles and positions; `ids_BS` is the whole row, whose last `n_tokens` are new."""
        is_eos_BS = ids_BS == self.eos_id
        title_BS = is_eos_BS.long().cumsum(-1)
        if self.eos == "closes":
            title_BS = title_BS - is_eos_BS.long()
        if self.mask:
            context.title_BS = title_BS
        if self.restart_positions:
            index_S = torch.arange(ids_BS.shape[1], device=ids_BS.device)
            # a title begins behind all tokens of earlier titles (a cummax would do, but has no ONNX form)
            begin_BS = (title_BS[:, None, :] < title_BS[:, :, None]).sum(-1)
            context.positions_BT = (index_S - begin_BS)[:, -n_tokens:]
