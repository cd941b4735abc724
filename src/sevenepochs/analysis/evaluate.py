"""Score a finished run again, in fp32: on its own corpus, or on another one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from sevenepochs.corpus.base import CorpusConfig
from sevenepochs.model.scorer import TorchScorer
from sevenepochs.protocol.figures import all_figures
from sevenepochs.run_folder import Run
from sevenepochs.trained import load_trained


def evaluate(
    run: Run, corpus: CorpusConfig | None = None, announce: Callable[[str], None] = lambda message: None
) -> dict[str, Any]:
    """The five figures of protocol.md on the corpus's validation split, and what the tokenizer does to its titles.

    Args:
        corpus: None for the run's own. Another corpus is split by the same rule; nothing is trained on it.

    Returns:
        `figures` by name (losses in nats per character), `n_titles`, `tokenizer` (see `Fidelity`).

    Raises:
        UserError: the run is incomplete or the corpus cannot be read.
    """
    trained = load_trained(run)
    data = trained.load_data(corpus, announce, same_titles=corpus is None)
    batches = trained.experiment.batches
    rows = trained.experiment.scoring_rows(data)
    figures, _ = all_figures(TorchScorer(trained.model), data.validation, rows, batches.batch_size, batches.block_size)
    floor = data.corpus.floor(data.split.validation)
    if floor is not None and figures["exact_val_loss"] is not None:
        figures["floor_val_loss"] = floor.value_nats_per_char
        figures["excess_val_loss"] = figures["exact_val_loss"] - floor.value_nats_per_char
    fidelity = data.tokenizer.fidelity(data.split.validation)
    return {
        "run": run.name,
        "corpus": data.corpus.name,
        "n_titles": data.validation.n_titles,
        "figures": figures,
        "tokenizer": {**asdict(fidelity), "reversible": fidelity.reversible},
    }
