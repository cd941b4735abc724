"""The arithmetic of a result's training, from its settings alone: what losses are compared by where machines differ.
No torch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sevenepochs.store.results import Result

_PASSES = {"cross_entropy": 1, "r_drop": 2, "late_r_drop": 2}


def training_flop(result: Result) -> float | None:
    """Return the floating-point operations of a run's training as `Experiment.step_flop` counts them, with the
    vocabulary that was asked for; None for an ensemble, and where a part that counts is from outside the package."""
    config = result.config
    if result.facts.track == "ensemble":
        return None
    model, batches, objective = config["model"], config["batches"], config["objective"]
    attention, mlp = model["attention"], model["mlp"]
    known = mlp["kind"] in ("gelu", "relu_squared") and attention["kind"] == "causal"
    if not known or objective["kind"] not in _PASSES or "vocab_size" not in config["tokenizer"]:
        return None
    d, layers, block = model["d_model"], model["n_layer"], batches["block_size"]
    per_layer = (4 + 2 * mlp["expansion"]) * d**2 + (d * model["n_head"] if attention["gate"] else 0)
    products = layers * per_layer + config["tokenizer"]["vocab_size"] * d
    per_target = 6 * products + 12 * layers * d * block
    passes = _passes(objective, config["training"]["epochs"])
    return float(per_target * batches["batch_size"] * block * passes * result.facts.n_steps)


def _passes(objective: Mapping[str, Any], epochs: int) -> float:
    """Passes per training token, the mean over epochs."""
    once: int = min(objective.get("first_epoch", 1) - 1, epochs)
    return _PASSES[objective["kind"]] - once / epochs
