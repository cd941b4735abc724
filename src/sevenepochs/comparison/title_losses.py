"""Losses by title of a run or a published result, with what pairs and sorts them: characters and kinds of titles.

A run folder holds the losses alone; the characters and kinds come from its corpus. `write` leaves all of them in the
run's analysis/, computes losses under stock rows where they are missing, and `publish` takes the file along. Only
`write` may need torch.
"""

from __future__ import annotations

import dataclasses
import functools

import numpy as np

from sevenepochs.data.corpus.base import Announce, CorpusConfig
from sevenepochs.data.corpus.fingerprint import check_same_titles, fingerprint
from sevenepochs.data.corpus.of_run import place_of
from sevenepochs.data.titles import break_down, title_chars
from sevenepochs.errors import UserError, command
from sevenepochs.protocol.budget import EOS, Split
from sevenepochs.store.results import Result
from sevenepochs.store.run import Run, layout, write_analysis
from sevenepochs.store.title_losses import NAME, Grouping, TitleLosses, by_title


def _silent(message: str) -> None:
    """One function for all callers, so that the cache below recognises a corpus."""


def title_losses(result: Result, corpus: CorpusConfig | None = None, announce: Announce = _silent) -> TitleLosses:
    """Return the losses by title of a result: in full precision from its run's folder, else as published.

    Args:
        corpus: where the run's titles are now, if not where its config says.

    Raises:
        UserError: there are none, the corpus cannot be read or is another one, or a file is damaged.
    """
    if result.run is not None:
        return of_run(result.run, corpus, announce)
    published = result.title_losses()
    if published is None:
        again = command("publish", result.facts.run)
        raise UserError(f"{result.name} was published without its losses by title; publish its run again: {again}")
    return published


def of_run(run: Run, corpus: CorpusConfig | None = None, announce: Announce = _silent) -> TitleLosses:
    """As `title_losses`, for a complete run."""
    written = None
    if NAME in run.analysis_names():
        written = TitleLosses.from_json(run.analysis(NAME), f"{NAME}.json of run {run.name}")
    tensors = run.load_tensors(layout.TITLE_LOSSES)
    if written is not None and corpus is None:
        # the compact file knows the titles; where none holds a literal <eos>, the full-precision losses are as many
        exact = tensors["nats"] if len(tensors["nats"]) == len(written.nats) else written.nats
        is_stock = written.nats_stock_rows is not None and np.array_equal(written.nats_stock_rows, written.nats)
        return TitleLosses(exact, written.n_chars, exact if is_stock else written.nats_stock_rows, written.groupings)
    split = _split_of(run, corpus, announce)
    nats = by_title(tensors["nats"], split.validation, EOS)
    stock = None if written is None else written.nats_stock_rows
    if ((run.certificate or {}).get("scoring") or {}).get("rows") == "stock":
        stock = nats
    elif layout.NATS_STOCK_ROWS in tensors:
        stock = by_title(tensors[layout.NATS_STOCK_ROWS], split.validation, EOS)
    return TitleLosses(nats, title_chars(split.validation), stock, _groupings(split))


def write(run: Run, corpus: CorpusConfig | None = None, announce: Announce = _silent) -> TitleLosses:
    """Write analysis/title_losses.json of a complete run; losses under stock rows are computed if they are missing,
    but for an ensemble, whose members have rows of their own.

    Raises:
        UserError: the run is incomplete, or its corpus cannot be read or is another one.
    """
    losses = of_run(run, corpus, announce)
    if losses.nats_stock_rows is None and not run.is_ensemble:
        announce("scoring the validation titles once more, under stock rows")
        losses = dataclasses.replace(losses, nats_stock_rows=_score_stock_rows(run, corpus))
    write_analysis(run, NAME, losses.to_json())
    return losses


def validation_titles(run: Run, corpus: CorpusConfig | None = None) -> tuple[str, ...]:
    """Return a run's validation titles, from its corpus.

    Raises:
        UserError: the corpus cannot be read or is another one.
    """
    return _split_of(run, corpus, _silent).validation


def _split_of(run: Run, corpus: CorpusConfig | None, announce: Announce) -> Split:
    split, prints = _load(place_of(run, corpus), announce)
    check_same_titles(run, prints)
    return split


@functools.lru_cache(maxsize=2)
def _load(config: CorpusConfig, announce: Announce) -> tuple[Split, dict[str, object]]:
    """One corpus serves all runs of a comparison."""
    split = config.load(announce).split()
    return split, fingerprint(split)


@functools.lru_cache(maxsize=2)
def _groupings(split: Split) -> dict[str, Grouping]:
    return {
        b.name: Grouping(b.label, tuple(kind.label for kind in b.kinds), b.of_title)
        for b in break_down(split.validation, split.train)
    }


def _score_stock_rows(run: Run, corpus: CorpusConfig | None) -> np.ndarray:
    from sevenepochs.ask.model import Model
    from sevenepochs.model.scorer import TorchScorer
    from sevenepochs.protocol.rows import stock_rows
    from sevenepochs.protocol.scoring import exact_log_probs
    from sevenepochs.protocol.scoring import title_losses as sum_by_title

    trained = Model.load(run)
    data = trained.load_data(corpus)
    ids_N, eos_id, scored = data.validation.ids_N, data.validation.eos_id, data.scored
    scorer, rows = TorchScorer(trained.network), stock_rows(len(ids_N))
    log_probs_N = exact_log_probs(scorer, scored.ids_N, scored.eos_id, rows)
    return by_title(sum_by_title(log_probs_N, ids_N, eos_id), data.split.validation, EOS)
