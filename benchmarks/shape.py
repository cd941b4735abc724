"""What is benchmarked: one training step of one shape, with the same tokens for everybody."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field, replace

import numpy as np

LONG_RUN_STEPS = 10**6  # what "auto" means is asked for a run that is worth compiling


@dataclass(frozen=True)
class Shape:
    """The defaults are the stock model and step: 27 M parameters, 64 rows of 128 tokens.

    `device` and `precision` may be "auto" until probe.py has said what that is here. `compile`: "auto" is what each
    one's users get (ours with CUDA graphs on a GPU, the others without), "on", "off" and "graphs" are for everybody.
    """

    vocab_size: int = 16_000
    n_layer: int = 6
    n_head: int = 8
    d_model: int = 512
    block_size: int = 128
    batch_size: int = 64
    dropout: float = 0.1
    precision: str = "auto"
    device: str = "auto"
    compile: str = "auto"
    threads: int = field(default_factory=lambda: len(os.sched_getaffinity(0)))
    seed: int = 1337

    @property
    def tokens(self) -> int:
        return self.batch_size * self.block_size

    @property
    def flop(self) -> float:
        """Of one step, forward and backward: 6 for each product parameter and token, 12 * layers * d_model * block
        for attention, unmasked. Peers whose model differs (see their file) are credited with the same work."""
        products = self.n_layer * 12 * self.d_model**2 + self.vocab_size * self.d_model
        return float(6 * products + 12 * self.n_layer * self.d_model * self.block_size) * self.tokens

    def batch(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """(x_BT, y_BT), int64: ids with the frequencies of words (Zipf), because embedding gradients depend on
        repeats."""
        rng = np.random.default_rng((self.seed, step))
        share_V = 1.0 / np.arange(1, self.vocab_size + 1)
        rows = rng.choice(self.vocab_size, (self.batch_size, self.block_size + 1), p=share_V / share_V.sum())
        return rows[:, :-1].copy(), rows[:, 1:].copy()

    def with_settings(self, settings: Iterable[str]) -> Shape:
        """Fields changed as KEY=VALUE.

        Raises:
            ValueError: no such field, or no such value.
        """
        shape = self
        for setting in settings:
            key, _, text = setting.partition("=")
            if key not in asdict(shape) or not text:
                raise ValueError(f"--set {setting}: the shape has {', '.join(asdict(shape))}")
            shape = replace(shape, **{key: type(getattr(shape, key))(text)})
        return shape

    def to_json(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Shape:
        return cls(**json.loads(text))
