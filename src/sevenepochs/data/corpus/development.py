"""Titles to choose by: some training titles of another corpus to train on, others of them to score on.

Such a run never reads the inner corpus's validation titles. Of 90,000 training titles it trains on the first 20,000 and
scores the last 5,000 (docs/choosing.md); other sizes keep those shares, 2/9 and 1/18.
"""

from __future__ import annotations

import dataclasses

from sevenepochs.data.corpus.base import Announce, Corpus, CorpusConfig, to_stderr
from sevenepochs.data.corpus.hub import HubCorpus
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import Split
from sevenepochs.store.run.layout import PROXY_SUFFIX

TRAIN_SHARE = 2 / 9
DEVELOPMENT_SHARE = 1 / 18


@dataclasses.dataclass(frozen=True)
class Development(CorpusConfig, kind="development"):
    """Training and development titles out of the training titles of the corpus `of`."""

    of: CorpusConfig = dataclasses.field(default_factory=HubCorpus)

    def __post_init__(self) -> None:
        if isinstance(self.of, Development):
            raise UserError("development titles of development titles: leave one --proxy out")

    def to_fetch(self) -> str | None:
        return self.of.to_fetch()

    def load(self, announce: Announce = to_stderr) -> Corpus:
        """Load the inner corpus and keep a part of its training titles, in protocol order.

        Raises:
            UserError: as the inner corpus, or it has too few titles to leave any to choose by.
        """
        inner = self.of.load(announce)
        titles = inner.split().train
        n_train, n_development = round(len(titles) * TRAIN_SHARE), round(len(titles) * DEVELOPMENT_SHARE)
        if n_development < 1:
            raise UserError(
                f"{inner.name} has {len(titles)} training titles; at proxy scale at least 10 are needed, "
                "so that one is left to choose by"
            )

        def cut(titles: tuple[str, ...]) -> Split:
            return Split(titles[:n_train], titles[-n_development:])

        split = cut(titles)
        # another kind: these are not the challenge's titles, even where the inner corpus is recognised
        source = {**inner.source, "kind": "development", "recognised": None, "of": inner.source.get("recognised")}
        rows = split.train + split.validation
        return Corpus(
            name=inner.name + PROXY_SUFFIX,
            rows=rows,
            source=source,
            floor_of=inner.floor_of,
            split_of=lambda rows: split,
            facts_of=lambda column: cut(inner.facts(column).train),
        )


def moved(corpus: CorpusConfig, place: CorpusConfig) -> CorpusConfig:
    """Return the same titles from another place: development titles of `place` where `corpus` is development titles."""
    is_inner = isinstance(corpus, Development) and not isinstance(place, Development)
    return Development(of=place) if is_inner else place
