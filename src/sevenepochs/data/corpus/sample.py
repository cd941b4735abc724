"""The embedded corpus: headline-like titles from a grammar, whose true distribution is known exactly.

It needs no file and no network, and it is the oracle of the whole pipeline: no model can beat the floor by more than
chance, so a loss below it is a bug in the metric. The titles are inventions; so are the companies in them.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import json
import math
from collections.abc import Sequence
from importlib import resources
from typing import Literal

import numpy as np

from sevenepochs.config import check_choice, check_range
from sevenepochs.data.corpus.base import Announce, Corpus, CorpusConfig, Floor, to_stderr
from sevenepochs.data.corpus.rules import Grammar
from sevenepochs.data.titles import title_chars
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import EOS

DEFAULT_TITLES = 20_000
N_TITLES_RANGE = (10, 10_000_000)
_Name = Literal["sample", "tiny"]


@dataclasses.dataclass(frozen=True)
class SampleCorpus(CorpusConfig, kind="sample"):
    """Titles drawn independently from the embedded grammar.

    Attributes:
        n_titles: the default trains a tiny model in about a minute on two cores; fewer titles are a prefix of more.
        seed: of the drawing; it is part of the corpus and has nothing to do with a run's seed.
        grammar: "sample", or "tiny", a part small enough that all of its titles can be listed.
    """

    n_titles: int = DEFAULT_TITLES
    seed: int = 0
    grammar: _Name = "sample"

    def __post_init__(self) -> None:
        check_range("n_titles", self.n_titles, *N_TITLES_RANGE)
        check_range("seed", self.seed, 0, 2**63 - 1)
        check_choice("grammar", self.grammar, _Name)

    def load(self, announce: Announce = to_stderr) -> Corpus:
        """Draw the titles; the same on every machine."""
        grammar = load_grammar(self.grammar)
        rng = np.random.default_rng(self.seed)
        rows = tuple(grammar.sample(rng) for _ in range(self.n_titles))
        name = "sample" if self.grammar == "sample" else "sample-tiny"
        name += f"-{self.n_titles}" if self.n_titles != DEFAULT_TITLES else ""
        name += f"-seed{self.seed}" if self.seed else ""
        source = {
            "kind": "sample",
            "file": f"{self.grammar}_grammar.json",
            "file_sha256": hashlib.sha256(_read(self.grammar)).hexdigest(),
            "n_rows": len(rows),
            "revision": None,
            "licence": "MIT",
            "recognised": None,
            "warnings": [],
            "seed": self.seed,
            "n_titles_possible": grammar.n_titles_possible,
            "entropy_nats_per_title": grammar.entropy_nats_per_title,
            "entropy_rate_nats_per_char": entropy_rate_nats_per_char(grammar),
        }
        return Corpus(name, rows, source, floor_of=functools.partial(floor, grammar))


@functools.cache
def load_grammar(name: str = "sample") -> Grammar:
    """Return one of the grammars that ship with the package, "sample" or "tiny"."""
    return Grammar.from_rules(json.loads(_read(name))["rules"])


def floor(grammar: Grammar, titles: Sequence[str]) -> Floor:
    """Return -(sum of ln p(title)) / L on these titles, and its standard error over titles.

    p(title) is the probability of exactly this title, its end included, as the metric charges for the closing `<eos>`.
    The standard error is that of a ratio of two sums over independent titles (linearised).

    Raises:
        UserError: no titles, or one that the grammar cannot make.
    """
    if not titles:
        raise UserError("the floor needs at least one title")
    nats = np.array([-grammar.log_prob(title) for title in titles])
    if np.isinf(nats).any():
        bad = titles[int(np.argmax(nats))]
        raise UserError(
            f"the grammar cannot make the title {bad[:60]!r}, so there is no floor; is this another corpus?"
        )
    chars = title_chars(titles).astype(float)
    ratio = math.fsum(nats) / math.fsum(chars)
    n = len(titles)
    variance = math.fsum((nats - ratio * chars) ** 2) / (n - 1) * n if n > 1 else math.inf
    return Floor(ratio, math.sqrt(variance) / math.fsum(chars))


def entropy_rate_nats_per_char(grammar: Grammar) -> float:
    """Return the floor's limit for many titles: entropy over expected characters, 5 for `<eos>` included."""
    return grammar.entropy_nats_per_title / (grammar.mean_chars_per_title + len(EOS))


def _read(grammar: str) -> bytes:
    return resources.files("sevenepochs.data.corpus").joinpath(f"{grammar}_grammar.json").read_bytes()
