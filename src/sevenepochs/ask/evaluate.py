"""Score a finished run again, in fp32: on its own corpus, or on another one."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from sevenepochs.ask.model import Model
from sevenepochs.data.corpus.base import Announce, CorpusConfig
from sevenepochs.store.run import Run
from sevenepochs.training.conclude import causality_of, final_figures


def evaluate(run: Run, corpus: CorpusConfig | None = None, announce: Announce = lambda message: None) -> dict[str, Any]:
    """Return the five figures of protocol.md on the corpus's validation split, and what its tokenizer changes.

    Args:
        corpus: None for the run's own. Another corpus is split by the same rule; nothing is trained on it.

    Returns:
        `figures` by name (losses in nats per character), `n_titles`, `tokenizer` (see `Fidelity`),
        `causality_violation_nats` as the certificate has it.

    Raises:
        UserError: the run is incomplete or the corpus cannot be read.
    """
    run.check_sums()
    model = Model.load(run)
    data = model.load_data(corpus, announce, same_titles=corpus is None)
    figures = final_figures(model.experiment, data, model.scorer).figures
    fidelity = data.tokenizer.fidelity(data.split.validation)
    return {
        "run": run.name,
        "corpus": data.corpus.name,
        "n_titles": data.validation.n_titles,
        "figures": figures,
        "causality_violation_nats": causality_of(model.experiment, data, model.scorer),
        "tokenizer": {**asdict(fidelity), "reversible": fidelity.reversible},
    }
