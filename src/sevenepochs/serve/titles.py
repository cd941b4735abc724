"""The validation titles that a finished run predicted worst and best, from the losses it stored; no model is asked."""

from __future__ import annotations

from typing import Any

import numpy as np

from sevenepochs.comparison.title_losses import validation_titles
from sevenepochs.data.corpus.base import CorpusConfig
from sevenepochs.data.titles import title_chars
from sevenepochs.errors import UserError
from sevenepochs.experiment import Experiment
from sevenepochs.protocol.budget import EOS
from sevenepochs.questions.where_loss import worst_and_best
from sevenepochs.serve.refusal import Refusal
from sevenepochs.store.run import Run, layout
from sevenepochs.store.title_losses import by_title

_LN2 = float(np.log(2.0))


def extreme_titles(run: Run, n: int, corpus: CorpusConfig | None = None) -> dict[str, Any]:
    """`worst` and `best` under each of two measures, `nats_per_char` and `bits`: rows of `title`, `bits`,
    `nats_per_char`, `number` (its place among the validation titles, from 0).

    A title's loss is the sum over its tokens and its closing `<eos>`, which counts as 5 characters: the protocol's
    count, and that of the analysis `extreme_titles`.

    Args:
        corpus: where the titles are, if not where the run found them.

    Raises:
        Refusal: the run has no losses yet, or its titles are not at hand; says what is missing.
        UserError: a file is damaged.
    """
    if run.state != "complete":
        raise Refusal(409, f"run {run.name} is {run.state}: titles are scored at the end of training")
    tensors = run.load_tensors(layout.TITLE_LOSSES)
    titles = _validation_titles(run, corpus)
    nats = by_title(np.asarray(tensors["nats"], dtype=np.float64), titles, EOS)
    bits, per_char = nats / _LN2, nats / title_chars(titles)

    def rows(numbers: np.ndarray) -> list[dict[str, Any]]:
        return [
            {"number": int(i), "title": titles[i], "bits": float(bits[i]), "nats_per_char": float(per_char[i])}
            for i in numbers
        ]

    found: dict[str, Any] = {"n_titles": len(titles), "mean_bits": float(bits.mean())}
    for name, values in (("nats_per_char", per_char), ("bits", bits)):
        worst, best = worst_and_best(values, n)
        found[name] = {"worst": rows(worst), "best": rows(best)}
    return found


def _validation_titles(run: Run, corpus: CorpusConfig | None) -> tuple[str, ...]:
    """Nothing is downloaded: a visitor's click is no consent to 426 MB, and would wait for them without a word."""
    missing = None if corpus is not None else Experiment.from_dict(run.config).corpus.to_fetch()
    if missing is not None:
        raise Refusal(
            409,
            f"the titles of run {run.name} are not on this machine: restart the page with --corpus {missing} "
            "to fetch them",
        )
    try:
        return validation_titles(run, corpus)
    except (UserError, OSError) as error:
        raise Refusal(
            409,
            f"the titles of run {run.name} are not at hand ({error}); restart the page with --corpus and the titles "
            "that it was trained on",
        ) from None
