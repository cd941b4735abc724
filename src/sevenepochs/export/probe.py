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
_EOS_SHARE = 0.15


def probe_rows(vocab_size: int, block_size: int, eos_id: int) -> list[Tensor]:
    """Return rows of random ids: one token, a few, an odd number, the longest; batches of 1, 2 and 3. Then others with
    `<eos>`, also at the beginning and twice in a row: masks and positions depend on it."""
    generator = torch.Generator().manual_seed(0)
    lengths = sorted({1, 2, min(_ODD_LENGTH, block_size), block_size})
    found = []
    for i, length in enumerate([*lengths, *lengths, block_size]):
        x_BT = torch.randint(vocab_size, (1 + i % 3, length), generator=generator)
        if i >= len(lengths):
            x_BT[torch.rand(x_BT.shape, generator=generator) < _EOS_SHARE] = eos_id
            x_BT[0, [0, length // 2, min(length // 2 + 1, length - 1)]] = eos_id
        found.append(x_BT)
    return found


@torch.no_grad()
def check_logits(network: GPTModel, eos_id: int, logits_of: Callable[[Tensor], Tensor], what: str) -> float:
    """Return the largest difference between the model's logits and `logits_of`(x_BT) over the probe.

    Args:
        network: on the CPU, fp32, in eval mode.
        what: the exported thing, for the message.

    Raises:
        UserError: a difference above the tolerance, or logits that are not finite.
    """
    assert not network.training, "dropout would differ"
    worst = 0.0
    for x_BT in probe_rows(network.vocab_size, network.block_size, eos_id):
        expected_BTV = network.logits(network(x_BT))
        difference = float((logits_of(x_BT) - expected_BTV).abs().max())
        if not difference <= TOLERANCE:  # NaN is refused too
            raise UserError(
                f"{what} does not repeat the model: at {x_BT.shape[1]} tokens a logit differs by {difference:.3g}, "
                f"more than {TOLERANCE:g}; nothing was written"
            )
        worst = max(worst, difference)
    return worst
