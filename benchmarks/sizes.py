"""What a step of ours costs for wider models and longer blocks, at one number of tokens a step.

The shapes run one after the other, each alone: eight of them waiting in memory would not fit every machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from typing import Any

from contestant import Contestant, steps_a_round
from shape import Shape

D_MODELS = (128, 256, 512, 1024)
BLOCK_SIZES = (64, 128, 256, 512)
_HEAD_DIMENSION = 64  # stock's, kept when the width changes


def series(shape: Shape, d_models: Sequence[int] = D_MODELS, block_sizes: Sequence[int] = BLOCK_SIZES) -> list[Shape]:
    """The shape at every width, then at every block size; what both have stands once."""
    wide = [replace(shape, d_model=d, n_head=max(1, d // _HEAD_DIMENSION)) for d in d_models]
    long = [replace(shape, block_size=b, batch_size=max(1, shape.tokens // b)) for b in block_sizes]
    return list(dict.fromkeys([*wide, *long]))


def over_sizes(shapes: list[Shape], rounds: int, round_seconds: float, say: Callable[[str], None]) -> dict[str, Any]:
    """One row a shape.

    Raises:
        RuntimeError: a worker died.
    """
    rows = []
    for number, shape in enumerate(shapes, 1):
        say(f"{number} of {len(shapes)}: d_model {shape.d_model}, {shape.batch_size} x {shape.block_size} tokens")
        contestant = Contestant("ours", shape)
        try:
            for _ in range(rounds):
                contestant.run(steps_a_round([contestant], round_seconds))
        finally:
            contestant.close()
        parts = contestant.facts["micro_batches"]
        rows.append(
            {"shape": asdict(shape), "flop_per_step": shape.flop, "micro_batches": parts, **contestant.measured()}
        )
    return {"rows": rows}
