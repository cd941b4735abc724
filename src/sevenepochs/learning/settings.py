"""How a run is executed: seed, epochs, precision, compilation, device. Not what is learned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sevenepochs.config import Config, check_choice, check_range
from sevenepochs.protocol.budget import EPOCHS, OFFICIAL_SEED

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "bf16", "fp32"]  # "auto": bf16 where there is a unit for it
Compile = Literal["auto", "on", "graphs", "off"]


@dataclass(frozen=True)
class Training(Config, kind="training"):
    """Slot `training`.

    `seed` drives initialisation, dropout and training order. `grad_clip`: global L2 norm. "auto" is resolved when the
    run starts and the resolution is recorded: bf16 where the hardware is fast at it, compilation where it pays.
    `compile` "graphs": compiled, and on a GPU recorded once as CUDA graphs and replayed (elsewhere the same as "on");
    "auto" takes them where one process trains without micro-batches.
    `micro_batches`: how many parts each process's rows are cut into, one after the other. Their gradients add up to
    that of the whole, to rounding, and what the backward pass needs is kept for one part at a time. None: steps of
    8,192 tokens or more on a CPU are cut into parts of 2,048 or more unless the model is small; others are not cut.
    `snapshots`: keep the weights of every evaluation in the run folder, matrices in bf16 (2 bytes a parameter each), so
    that a title can be followed through training.
    `checkpoint_seconds`: between checkpoints; the first one comes after a minute at the latest. 0: after every step.
    """

    seed: int = OFFICIAL_SEED
    epochs: int = EPOCHS
    grad_clip: float | None = 1.0
    device: Device = "auto"
    precision: Precision = "auto"
    compile: Compile = "auto"
    micro_batches: int | None = None
    snapshots: bool = False
    checkpoint_seconds: float = 300.0

    def __post_init__(self) -> None:
        check_range("training.seed", self.seed, 0, 2**32 - 1)
        check_range("training.epochs", self.epochs, 1, 1000)
        if self.grad_clip is not None:
            check_range("training.grad_clip", self.grad_clip, 1e-9)
        if self.micro_batches is not None:
            check_range("training.micro_batches", self.micro_batches, 1, 1_000_000)
        check_range("training.checkpoint_seconds", self.checkpoint_seconds, 0)
        check_choice("training.device", self.device, Device)
        check_choice("training.precision", self.precision, Precision)
        check_choice("training.compile", self.compile, Compile)
