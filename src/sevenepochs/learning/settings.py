"""Settings of a run's execution: seed, epochs, precision, compilation, device."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from sevenepochs.config import Config, check_choice, check_range
from sevenepochs.protocol.budget import EPOCHS, OFFICIAL_SEED

Device = Literal["auto", "cpu", "cuda", "mps"]
Precision = Literal["auto", "bf16", "fp32"]
Compile = Literal["auto", "on", "graphs", "off"]


@dataclass(frozen=True)
class Training(Config, kind="training"):
    """Slot `training`. "auto" is resolved when the run starts (training/machine.py), and the run folder records it.

    Attributes:
        seed: of initialisation, dropout and training order.
        grad_clip: global L2 norm; None does not clip.
        precision: "auto" is bf16 where the hardware is fast at it.
        compile: "auto" compiles where it pays. "graphs" also records CUDA graphs on a GPU; "auto" does so where one
            process trains without micro-batches.
        micro_batches: parts that each process's rows are cut into. Their gradients add up to the whole's, to rounding,
            and the backward pass keeps activations of one part at a time. None: on a CPU, steps of 8,192 tokens or more
            are cut into parts of 2,048 or more unless the model is small; other steps are not cut.
        snapshots: keep the weights of every evaluation, 2 bytes per parameter, to follow a title through training.
        checkpoint_seconds: between checkpoints; the first comes after a minute at the latest. 0: after every step.
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
