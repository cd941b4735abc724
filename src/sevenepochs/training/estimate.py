"""Estimate the cost of a run on this machine before it is started."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor

from sevenepochs.data.corpus.base import Announce
from sevenepochs.experiment import Experiment
from sevenepochs.model.gpt import GPTModel, n_parameters
from sevenepochs.protocol.budget import evaluation_steps
from sevenepochs.training import machine

# A pass over a token takes its products' time, and for each of these elements so many times what an element of a
# softmax takes here. Fitted to steps of widths 128 to 1,024 on two CPUs (docs/log, "How long a step takes").
_PER_LOGIT, _PER_CHANNEL, _PER_SCORE = 1.2, 60.0, 15.0  # channels per layer; scores of a token per layer and head
_PER_PARAMETER = 5.0  # of an update
_EAGER = 2.3  # times the elements' time where the step is not compiled; 1.5 to 3.5
_COMPILING_SECONDS = 90.0
_FORWARD_SHARE = 1 / 3  # of a step's time
_RANGE = (0.7, 1.6)  # of the estimate: speeds of one machine vary as much, most of all beside other processes
_KEYS = (
    "parameters", "tokens_per_step", "n_steps", "steps_source", "flop_per_step", "training_flop", "seconds",
    "seconds_range", "time_source",
)  # fmt: skip


def estimate(
    experiment: Experiment, *, may_download: bool = False, announce: Announce = lambda message: None
) -> dict[str, Any]:
    """Estimate the parameters, steps, FLOPs and seconds of a run.

    Args:
        may_download: whether a hub corpus that is not cached may be fetched. If not, steps are unknown (None), and
            everything that depends on a vocabulary which only the corpus tells.

    Returns:
        The keys of `_KEYS`. FLOPs are those of `Experiment.step_flop`; the time also counts evaluations, updates and
        compilation. `seconds_range`: between which it is expected.

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
        speeds = Speeds.measured(resolved.device, resolved.precision)
        seconds = _seconds(experiment, model, n_steps, validation_share, resolved.compiled, speeds)
        estimated["training_flop"] = flop * n_steps
        estimated["seconds"] = seconds
        estimated["seconds_range"] = [seconds * share for share in _RANGE]
        estimated["time_source"] = (
            f"{resolved.precision} products run at {speeds.flop / 1e12:.2f} TFLOP/s on {resolved.device} now, "
            f"a softmax at {speeds.elements / 1e9:.2g} billion elements a second; "
            f"{'compiled' if resolved.compiled else 'eager'} steps need both"
        )
    return estimated


class Speeds(NamedTuple):
    """What a device does per second: FLOPs of a large product, and elements of a large softmax in fp32."""

    flop: float
    elements: float

    @classmethod
    def measured(cls, device: str, precision: str) -> Speeds:
        """Measure both, in a second or two."""
        size = 2048
        n = 1 if device == "cpu" else 20  # launching one on a GPU takes longer than computing it
        kind = torch.bfloat16 if precision == "bf16" else torch.float32
        a, b = (torch.randn(size, size, device=device).to(kind) for _ in range(2))
        x = torch.randn(512, 16_000, device=device)  # larger than caches
        product, softmax = _best_seconds(lambda: a @ b, n), _best_seconds(lambda: torch.softmax(x, -1), n)
        return cls(2 * size**3 / product, x.numel() / softmax)


def _seconds(
    experiment: Experiment, model: GPTModel, n_steps: int, validation_share: float, compiled: bool, speeds: Speeds
) -> float:
    """The seconds of a run: products at their speed, and elements at theirs."""
    m, b, passes = experiment.model, experiment.batches, experiment.passes_per_token
    per_token = _PER_LOGIT * model.vocab_size
    per_token += m.n_layer * (_PER_CHANNEL * m.d_model + _PER_SCORE * m.n_head * b.block_size)
    elements = per_token * b.batch_size * b.block_size * (1.0 if compiled else _EAGER)
    of_pass = experiment.step_flop(model) / passes / speeds.flop + elements / speeds.elements
    of_update = experiment.optimizer.update_flop(model) / speeds.flop
    of_update += _PER_PARAMETER * n_parameters(model) / speeds.elements
    epochs = experiment.training.epochs
    n_evaluations = len(evaluation_steps(n_steps // epochs, epochs))
    # each evaluation scores the validation split twice: stock windows and exact rows
    in_passes = 2 * n_evaluations * validation_share * (n_steps // epochs) * _FORWARD_SHARE
    return n_steps * (passes * of_pass + of_update) + in_passes * of_pass + _COMPILING_SECONDS * compiled


def _best_seconds(compute: Callable[[], Tensor], n: int) -> float:
    """The seconds of a computation: the best of five means over `n`."""
    best = float("inf")
    for _ in range(5):
        started = time.perf_counter()
        for _ in range(n):
            computed = compute()
        computed[0, 0].item()  # waits for the device
        best = min(best, (time.perf_counter() - started) / n)
    return best
