"""The embedded corpus: headline-like titles from a grammar, whose true distribution is known exactly.

It needs no file and no network, and it is the oracle of the whole pipeline: no model can beat the floor by more than
chance, so a loss below it is a bug in the metric. The titles are inventions; so are the companies in them.

Beside each title stands a link (fact "url"), which mostly tells its kind, the grammar's first choice. What that is
worth is known exactly: by Bayes' rule, p(title | site) = p(title) p(site | its kind) / p(site). The fact "time" is
worth nothing.
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
from sevenepochs.protocol.budget import EOS, Split, split_titles

DEFAULT_TITLES = 20_000
N_TITLES_RANGE = (10, 10_000_000)
OWN_SITE = 0.7  # the probability of a kind's own site; all kinds share the rest evenly
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
        return Corpus(name, rows, source, floor_of=functools.partial(floor, grammar), facts_of=self._facts)

    def _facts(self, column: str) -> Split:
        if column == "time":  # says nothing about the title: a control
            days = np.random.default_rng((self.seed, 2)).integers(16_000, 18_000, self.n_titles)
            return split_titles([str(86_400 * day) for day in days])
        if column != "url":
            raise UserError(f"the embedded titles have the facts url and time, and no {column!r}")
        grammar, rng = load_grammar(self.grammar), np.random.default_rng(self.seed)
        kinds = np.array([grammar.draw(rng)[0] for _ in range(self.n_titles)])  # those of the titles
        n_kinds = len(grammar.kinds)
        own_N, site_N = np.random.default_rng((self.seed, 1)).random((self.n_titles, 2)).T  # fewer are a prefix of more
        sites = np.where(own_N < OWN_SITE, kinds, (site_N * n_kinds).astype(int))
        return split_titles([f"https://{site(kind)}/" for kind in sites])


@functools.cache
def load_grammar(name: str = "sample") -> Grammar:
    """Return one of the grammars that ship with the package, "sample" or "tiny"."""
    return Grammar.from_rules(json.loads(_read(name))["rules"])


def site(kind: int) -> str:
    """Return the domain of a kind's own site."""
    return f"site{kind}.example"


def floor(grammar: Grammar, titles: Sequence[str], links: Sequence[str] | None = None) -> Floor:
    """Return -(sum of ln p(title)) / L on these titles, and its standard error over titles.

    p(title) is the probability of exactly this title, its end included, as the metric charges for the closing `<eos>`.
    The standard error is that of a ratio of two sums over independent titles (linearised).

    Args:
        links: the fact "url" of each title; the floor is then that of p(title | link).

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
    if links is not None:
        nats -= np.array([_information(grammar, *both) for both in zip(titles, links, strict=True)])
    chars = title_chars(titles).astype(float)
    ratio = math.fsum(nats) / math.fsum(chars)
    n = len(titles)
    variance = math.fsum((nats - ratio * chars) ** 2) / (n - 1) * n if n > 1 else math.inf
    return Floor(ratio, math.sqrt(variance) / math.fsum(chars))


def _information(grammar: Grammar, title: str, link: str) -> float:
    """ln p(site | the title's kind) / p(site), in nats."""
    priors = np.array([alternative.probability for alternative in grammar.rules[grammar.start]])
    named = [f"https://{site(kind)}/" for kind in range(len(priors))].index(link)
    kind = max(range(len(priors)), key=lambda kind: grammar.kinds[kind].log_prob(title))
    by_kind = (1 - OWN_SITE) / len(priors) + OWN_SITE * (np.arange(len(priors)) == named)  # p(site | kind)
    return float(np.log(by_kind[kind] / (priors @ by_kind)))


def entropy_rate_nats_per_char(grammar: Grammar) -> float:
    """Return the floor's limit for many titles: entropy over expected characters, 5 for `<eos>` included."""
    return grammar.entropy_nats_per_title / (grammar.mean_chars_per_title + len(EOS))


def _read(grammar: str) -> bytes:
    return resources.files("sevenepochs.data.corpus").joinpath(f"{grammar}_grammar.json").read_bytes()
