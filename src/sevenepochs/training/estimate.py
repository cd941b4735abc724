"""Estimate the cost of a run on this machine before it is started."""

from __future__ import annotations

import time
from typing import Any

import torch

from sevenepochs.data.corpus.base import Announce
from sevenepochs.experiment import Experiment
from sevenepochs.model.gpt import n_parameters
from sevenepochs.protocol.budget import evaluation_steps
from sevenepochs.training import machine

# The rate of steps and evaluations over that of a large square product; by whether they are compiled. Measured at the
# stock shape on 2 cores (docs/log), and rough: half or twice is possible.
_SHARE_OF_PEAK = {True: 0.70, False: 0.40}
_FORWARD_SHARE = 1 / 3  # of a step's arithmetic
_KEYS = (
    "parameters", "tokens_per_step", "n_steps", "steps_source", "flop_per_step", "training_flop", "seconds",
    "time_source",
)  # fmt: skip


def estimate(
    experiment: Experiment, *, may_download: bool = False, announce: Announce = lambda message: None
) -> dict[str, Any]:
    """Estimate the parameters, steps, FLOPs and seconds of a run.

    Args:
        may_download: whether a hub corpus that is not cached may be fetched. If not, steps are unknown (None), and
            everything that depends on a vocabulary which only the corpus tells.

    Returns:
        The keys of `_KEYS`. FLOPs are those of `Experiment.step_flop`; the time also counts evaluations and updates.

    Raises:
        UserError: the corpus cannot be read, or is too small.
    """
    n_steps = vocab_size = texts = None
    validation_share = 0.0  # validation tokens over training tokens
    source = "unknown: the hub corpus is not cached"
    if may_download or experiment.corpus.to_fetch() is None:
        source = "counted on the corpus"
        data = experiment.load_data(announce)
        batches = experiment.build_batches(data)
        n_steps = batches.steps_per_epoch * experiment.training.epochs
        vocab_size, texts = data.tokenizer.vocab_size, data.tokenizer.texts()
        validation_share = len(data.validation.ids_N) / len(data.train_ids)
    else:
        vocab_size = getattr(experiment.tokenizer, "vocab_size", None)
    estimated: dict[str, Any] = dict.fromkeys(_KEYS)
    estimated["tokens_per_step"] = experiment.batches.batch_size * experiment.batches.block_size
    estimated |= {"n_steps": n_steps, "steps_source": source}
    if vocab_size is None or (texts is None and experiment.model.embedding.reads_texts):
        return estimated
    model = experiment.build_model(vocab_size, texts)
    estimated["parameters"] = n_parameters(model)
    flop = estimated["flop_per_step"] = experiment.step_flop(model)
    if n_steps is not None:
        work = machine.Work(flop, n_steps, experiment.batches.batch_size, experiment.batches.block_size)
        resolved = machine.resolve(experiment.training, work, tries_compiler=False)
        rate = _product_rate(resolved.device, resolved.precision)
        steps_per_epoch = n_steps // experiment.training.epochs
        n_evaluations = len(evaluation_steps(steps_per_epoch, experiment.training.epochs))
        # each evaluation scores the validation split twice: stock windows and exact rows
        forward = flop / experiment.passes_per_token * _FORWARD_SHARE
        evaluation = 2 * n_evaluations * validation_share * steps_per_epoch * forward
        updates = experiment.optimizer.update_flop(model) * n_steps
        estimated["training_flop"] = flop * n_steps
        estimated["seconds"] = (flop * n_steps + updates + evaluation) / (rate * _SHARE_OF_PEAK[resolved.compiled])
        estimated["time_source"] = (
            f"{resolved.precision} products run at {rate / 1e12:.2f} TFLOP/s on {resolved.device} now; "
            f"{'compiled' if resolved.compiled else 'eager'} steps reach some "
            f"{_SHARE_OF_PEAK[resolved.compiled]:.0%} of it"
        )
    return estimated


def _product_rate(device: str, precision: str) -> float:
    """Measure the FLOP/s of a 2048 x 2048 product, best of a few."""
    size = 2048
    n = 1 if device == "cpu" else 20  # launching one on a GPU takes longer than computing it
    kind = torch.bfloat16 if precision == "bf16" else torch.float32
    a, b = (torch.randn(size, size, device=device).to(kind) for _ in range(2))
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(n):
            product = a @ b
        product[0, 0].item()  # waits for the device
        best = min(best, (time.perf_counter() - started) / n)
    return 2 * size**3 / best
