"""The validation titles that a finished run predicted worst and best, from the losses it stored; no model is asked."""

from __future__ import annotations

from typing import Any

import numpy as np

from sevenepochs.config import Config
from sevenepochs.corpus.base import CorpusConfig
from sevenepochs.corpus.fingerprint import fingerprint
from sevenepochs.corpus.hub import HubCorpus
from sevenepochs.errors import UserError
from sevenepochs.experiment import Experiment
from sevenepochs.protocol.budget import split_titles
from sevenepochs.run_folder import Run, layout
from sevenepochs.serve.refusal import Refusal

_LN2 = float(np.log(2.0))


def extreme_titles(run: Run, n: int, corpus: CorpusConfig | None = None) -> dict[str, Any]:
    """`worst` and `best` under each of two measures, `bits_per_char` and `bits`: rows of `title`, `bits`,
    `bits_per_char`, `number` (its place among the validation titles, from 0).

    A title's loss is the sum over its tokens and its closing `<eos>`, which counts no character here.

    Args:
        corpus: where the titles are, if not where the run found them.

    Raises:
        Refusal: the run has no losses yet, or its titles are not at hand; says what is missing.
        UserError: a file is damaged.
    """
    if run.state != "complete":
        raise Refusal(409, f"run {run.name} is {run.state}: titles are scored at the end of training")
    tensors, _ = run.load_tensors(layout.TITLE_LOSSES)
    bits = np.asarray(tensors["nats"], dtype=np.float64) / _LN2
    titles = _validation_titles(run, corpus)
    if len(titles) != len(bits):
        raise UserError(
            f"{layout.TITLE_LOSSES} of run {run.name} holds {len(bits):,} losses for {len(titles):,} titles"
        )
    per_char = bits / np.maximum([len(title) for title in titles], 1)

    def rows(order: np.ndarray) -> list[dict[str, Any]]:
        return [
            {"number": int(i), "title": titles[i], "bits": float(bits[i]), "bits_per_char": float(per_char[i])}
            for i in order
        ]

    found: dict[str, Any] = {"n_titles": len(titles), "mean_bits": float(bits.mean())}
    for name, values in (("bits_per_char", per_char), ("bits", bits)):
        order = np.argsort(values, kind="stable")
        found[name] = {"best": rows(order[:n]), "worst": rows(order[::-1][:n])}
    return found


def _validation_titles(run: Run, corpus: CorpusConfig | None) -> tuple[str, ...]:
    config = corpus if corpus is not None else Experiment.from_dict(run.config).corpus
    if isinstance(config, HubCorpus) and not config.is_cached():
        raise Refusal(
            409,
            f"the titles of run {run.name} are not on this machine: restart the page with --corpus hub to fetch them",
        )
    try:
        split = split_titles(config.load(lambda message: None).rows)
    except (UserError, OSError) as error:
        raise Refusal(
            409,
            f"the titles of run {run.name} are not at hand ({error}); start the page with --corpus and the file "
            "that it was trained on",
        ) from None
    if fingerprint(split) != run.corpus.get("split"):
        raise Refusal(
            409, f"{_where(config)} holds other titles than run {run.name} was scored on; restart with --corpus"
        )
    return split.validation


def _where(config: Config) -> str:
    return str(getattr(config, "path", type(config).__name__)).rpartition("/")[2]
