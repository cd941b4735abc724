"""The standard analyses of a run, which `publish` makes unless told not to, by the name of their JSON file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from sevenepochs.ask.next_token import at_place
from sevenepochs.ask.predictions import Progress
from sevenepochs.data.corpus.base import CorpusConfig
from sevenepochs.questions import calibration, collapse, data, drawn_titles, layers, memorisation, where_loss
from sevenepochs.questions.case import Case
from sevenepochs.questions.names import DESCRIPTIONS, STORY_PLACES, check_names
from sevenepochs.questions.token_frequency import most_frequent
from sevenepochs.store.run import Run, write_analysis


def analyze(
    run: Run,
    corpus: CorpusConfig | None = None,
    announce: Callable[[str], None] = lambda message: None,
    *,
    only: Sequence[str] = (),
    again: bool = False,
    progress: Progress = lambda done, total: None,
) -> list[str]:
    """Write analysis/<name>.json of every standard analysis that a complete run's folder lacks; returns their names.

    Args:
        corpus: where the run's titles are now, if not where its config says.
        only: names from `names.DESCRIPTIONS`; all by default.
        again: also those that are there already.
        progress: told how far an analysis is that takes its time; starts again with each.

    Raises:
        UserError: an unknown name, the run is incomplete, or the corpus cannot be read or is another one.
    """
    check_names(only)
    there = set() if again else set(run.analysis_names())
    missing = [name for name in (only or ANALYSES) if name not in there]
    if missing:
        case = Case.open(run, corpus, announce, progress)
        for name in missing:
            announce(f"analysis {name}: {DESCRIPTIONS[name]}")
            write_analysis(run, name, ANALYSES[name](case))
    return missing


def _next_token(case: Case) -> dict[str, Any]:
    return {
        "places": [
            at_place(case.model, case.ids_N, row, position)
            for row, position in STORY_PLACES
            if position < len(case.ids_N) - 1
        ]
    }


def _where_loss(case: Case) -> dict[str, Any]:
    tokenizer = case.data.tokenizer
    return where_loss.analyze(case.log_probs_N, case.where, case.rows, tokenizer, case.train_counts_V, case.breakdowns)


def _memorisation(case: Case) -> dict[str, Any]:
    nats = case.where.by_title(-case.log_probs_N)
    return memorisation.analyze(nats, case.data.split, case.data.tokenizer)


ANALYSES: dict[str, Callable[[Case], dict[str, Any]]] = {
    "data": lambda case: data.analyze(case.data.split.train, case.data.tokenizer, case.data.train_ids),
    "token_frequency": lambda case: most_frequent(case.data.tokenizer, case.data.train_ids),
    "next_token": _next_token,
    "where_loss": _where_loss,
    "extreme_titles": lambda case: where_loss.with_text(case.log_probs_N, case.where),
    "memorisation": _memorisation,
    "collapse": lambda case: collapse.analyze(case.observed, case.pairs, case.ids_N, case.data.tokenizer),
    "calibration": lambda case: calibration.analyze(case.observed, case.ids_N),
    "samples": lambda case: drawn_titles.analyze(case.model, case.data.split, case.progress),
    "layers": lambda case: layers.analyze(case.model, case.data.split.validation, case.progress),
}
