"""One title through time: its loss under the weights of every snapshot that a run kept (`training.snapshots=true`).

Snapshots hold matrices in bf16, so the last one is the final model up to that rounding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

from sevenepochs.ask.reader import Reader
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import EOS
from sevenepochs.store.run import Run


def through_time(
    run: Run, text: str, progress: Callable[[Iterable[int]], Iterable[int]] = lambda steps: steps
) -> dict[str, Any]:
    """The bits of each token of a title, read alone after `<eos>`, at every snapshot.

    Args:
        progress: wraps the steps as they are worked through.

    Returns:
        `tokens`: readable, the closing `<eos>` last. `steps`: rows of `step`, `surprisal_bits` (the title's),
        `tokens_bits` and `nats_per_char`.

    Raises:
        UserError: the run kept no snapshots.
    """
    steps = run.snapshot_steps()
    if not steps:
        raise UserError(
            f"run {run.name} kept no snapshots; train again with --set training.snapshots=true"
            " (2 bytes a parameter for every evaluation)"
        )
    text = text.strip()
    rows: list[dict[str, Any]] = []
    tokens: list[str] = []
    for step in progress(steps):
        reader = Reader.open_snapshot(run, step)
        context = [*reader.encode(text).tolist(), reader.eos_id]
        tokens = reader.tokens(context[1:])
        (log_probs,) = reader.log_probs_of([context])
        bits = (-log_probs / math.log(2)).tolist()
        rows.append(
            {
                "step": step,
                "surprisal_bits": math.fsum(bits),
                "tokens_bits": bits,
                "nats_per_char": math.fsum(bits) * math.log(2) / (len(text) + len(EOS)),
            }
        )
    return {"run": run.name, "text": text, "tokens": tokens, "steps": rows}
