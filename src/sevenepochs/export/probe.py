"""Is the exported model the trained one? Both are asked for the logits of the same rows.

B batch, T position in the row, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from sevenepochs.errors import UserError
from sevenepochs.model.gpt import GPTModel

TOLERANCE = 1e-4  # largest absolute difference of a logit in fp32; sums in another order move them by some 1e-5
_ODD_LENGTH = 13


def probe_rows(vocab_size: int, block_size: int) -> list[Tensor]:
    """Rows of random ids: one token, a few, an odd number, the longest; batches of 1, 2 and 3."""
    generator = torch.Generator().manual_seed(0)
    lengths = sorted({1, 2, min(_ODD_LENGTH, block_size), block_size})
    return [
        torch.randint(vocab_size, (1 + i % 3, length), generator=generator)
        for i, length in enumerate([*lengths, block_size])
    ]


@torch.no_grad()
def check_logits(model: GPTModel, logits_of: Callable[[Tensor], Tensor], what: str) -> float:
    """The largest difference between the model's logits and `logits_of`(x_BT) over the probe.

    Args:
        model: on the CPU, fp32, in eval mode.
        what: the exported thing, for the message.

    Raises:
        UserError: a difference above the tolerance, or logits that are not finite.
    """
    assert not model.training, "dropout would differ"
    worst = 0.0
    for x_BT in probe_rows(model.vocab_size, model.block_size):
        expected_BTV = model.logits(model(x_BT))
        difference = float((logits_of(x_BT) - expected_BTV).abs().max())
        if not difference <= TOLERANCE:  # NaN is refused too
            raise UserError(
                f"{what} does not repeat the model: at {x_BT.shape[1]} tokens a logit differs by {difference:.3g}, "
                f"more than {TOLERANCE:g}; nothing was written"
            )
        worst = max(worst, difference)
    return worst
