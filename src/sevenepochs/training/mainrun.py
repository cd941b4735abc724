"""The opening events of the challenge's log, from our config."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sevenepochs.model.gpt import n_parameters
from sevenepochs.protocol.budget import EVALS_PER_EPOCH, VAL_FRACTION
from sevenepochs.training.session import Session


def header_events(session: Session) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield (event, fields) in the challenge's order; fields that a recipe does not have are null."""
    c, m, data = session.experiment, session.experiment.model, session.data
    yield (
        "hyperparameters_configured",
        {
            "block_size": c.batches.block_size,
            "batch_size": c.batches.batch_size,
            "vocab_size": getattr(c.tokenizer, "vocab_size", None),
            "n_layer": m.n_layer,
            "n_head": m.n_head,
            "d_model": m.d_model,
            "dropout": m.embedding_dropout,
            "lr": getattr(c.optimizer, "lr", None),
            "weight_decay": getattr(c.optimizer, "weight_decay", None),
            "evals_per_epoch": EVALS_PER_EPOCH,
            "epochs": c.training.epochs,
            "seed": c.training.seed,
            "num_titles": len(data.split.train) + len(data.split.validation),
            "val_frac": VAL_FRACTION,
            "log_file": "mainrun.log",
        },
    )
    yield "device_info", {"device": session.machine.device}
    yield (
        "dataset_info",
        {
            "titles_count": len(data.split.train),
            "epochs": c.training.epochs,
            "batches_per_epoch": session.batches.steps_per_epoch,
            "tokens_per_epoch": len(data.train_ids),
            "vocab_size": data.tokenizer.vocab_size,
        },
    )
    yield "model_info", {"parameters_count": n_parameters(session.model)}
