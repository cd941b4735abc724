"""Settings that came after the first published runs. A config that was written before one of them means its default, so
that old and new runs of a recipe are one recipe. No torch; a test compares with the defaults of the classes."""

from __future__ import annotations

from typing import Any

_LATER: dict[str, dict[str, Any]] = {
    "experiment:Experiment": {"averaging": {"kind": "averaging.last:LastWeights"}},
    "settings:Training": {"snapshots": False, "micro_batches": None},
    "model.gpt:GPT": {
        "embedding": {"kind": "model.embedding.table:Table"},
        "output_dropout": 0.0,
        "titles": None,
        "skip": None,
    },
    "model.attention.causal:Causal": {"qk_norm": None, "value_residual": None, "gate": None},
    "model.mlp.gelu:Gelu": {"dropout": 0.0},
}


def with_later_fields(config: dict[str, Any]) -> dict[str, Any]:
    """A copy of a run's config with what it means by silence."""
    inner = {key: with_later_fields(value) if isinstance(value, dict) else value for key, value in config.items()}
    return {**_LATER.get(str(config.get("kind")), {}), **inner}
