"""The results by their parts in the story (stock run, optimizer step, RoPE step, best run) and by their recipes.

All of them stand on the same validation titles. Results on other titles are kept apart and never compared with these;
so are results of the same corpus at proxy scale.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from sevenepochs.comparison.anchors import lines, read_anchors
from sevenepochs.comparison.ladder import Rung, full_corpus, ladders
from sevenepochs.comparison.noise import SeedNoise, read_noises
from sevenepochs.errors import UserError
from sevenepochs.recipes.configs import called, unchanged
from sevenepochs.recipes.listing import LADDER, list_recipes
from sevenepochs.report.inputs import Published
from sevenepochs.store.choosing import official_first, record
from sevenepochs.store.results import Result
from sevenepochs.store.title_losses import TitleLosses


@dataclass(frozen=True)
class Part:
    """A place in the story, for one of the recipes, with the recipe's configuration: the real one, or the demo's after
    it. Templates and notebooks use its `key`, people read its `title`."""

    key: str
    title: str
    recipes: tuple[str, ...]


PARTS = (
    Part("first", "Initial run", ("baseline", "demo_sgd")),
    Part("one", "Step one", ("adamw", "demo_adamw")),
    Part("two", "Step two", ("rope",)),
)
_REAL, _DEMO = ({part.recipes[i] for part in PARTS if part.recipes[1:]} for i in (0, 1))


@dataclass(frozen=True)
class Story:
    """The results of one site or notebook.

    Attributes:
        parts: by `Part.key`, "best", and "inside", the best that was published with its analyses; None where the run is
            missing.
        everything: every result on the story's validation titles, highest exact loss first.
        proxies: results at proxy scale on the story's corpus, by name.
        elsewhere: other results on other titles, by name.
    """

    parts: dict[str, Published | None]
    everything: tuple[Published, ...]
    proxies: tuple[Published, ...]
    elsewhere: tuple[Published, ...]

    @classmethod
    def of(cls, results: Sequence[Result], cast: Mapping[str, str] | None = None) -> Story:
        """Cast the results.

        The story is told on the titles that have most of its parts (then full runs, most results, the first name); a
        part with several seeds shows the official one.

        Args:
            cast: names of results by `Part.key` (or "best"), for those that play a part whatever their recipe; their
                titles are then the story's.

        Raises:
            UserError: no results, or one that is damaged.
        """
        if not results:
            raise UserError("there is no result to report; publish a run first: sevenepochs publish last")
        published = sorted((Published.read(result) for result in results), key=lambda p: p.result.name)
        by_titles: dict[str, list[Published]] = {}
        for one in published:
            by_titles.setdefault(one.result.titles, []).append(one)
        chosen = min(by_titles.values(), key=_told_last)
        given = {key: p for key, name in (cast or {}).items() for p in published if p.result.name == name}
        if given:
            chosen = by_titles[next(iter(given.values())).result.titles]
        parts = _cast(chosen)
        falling = sorted(chosen, key=lambda p: (-p.result.exact, p.result.name))
        others = [p for p in published if p.result.titles != chosen[0].result.titles]
        corpus = full_corpus(chosen[0].result)
        proxies = tuple(p for p in others if p.result.is_proxy and full_corpus(p.result) == corpus)
        elsewhere = tuple(p for p in others if p not in proxies)
        parts |= {"best": _best(falling), "inside": _best([p for p in falling if "where_loss" in p.analyses]), **given}
        return cls(parts, tuple(falling), proxies, elsewhere)

    def run(self, name: str) -> Published | None:
        """Return the run of a part, or of a recipe (the official seed's before others); None where it is missing."""
        return self.parts[name] if name in self.parts else _of_recipe(self.recipe(name), self.everything)

    def recipe(self, name: str) -> str:
        """Return the recipe of a part, which is the demo's in a story of the demo, or the recipe of that name. Raises
        UserError: there is neither such a part nor such a recipe."""
        for part in PARTS:
            if part.key == name:
                return part.recipes[-1 if self.is_demo else 0]
        if name not in {recipe.name for recipe in list_recipes()}:
            raise UserError(f"a page names {name!r}, which is neither a part of the story nor a recipe")
        return name

    @property
    def is_demo(self) -> bool:
        """Whether the demo's recipes play: they do where their runs are, and on generated titles without others."""
        played = {called(p.result) for p in self.parts.values() if p is not None}
        return not played & _REAL and (bool(played & _DEMO) or self.is_sample)

    @property
    def some_run(self) -> Published:
        """One of the story's results, for what is the same in all of them."""
        return next(filter(None, self.parts.values()), self.everything[0])

    @property
    def example(self) -> Published:
        """The best run, or some run: where one has to serve."""
        return self.parts["best"] or self.some_run

    @cached_property
    def ladders(self) -> dict[str, list[Rung]]:
        """The ladder of the full runs and that of the proxies, by their titles' hash."""
        results = unchanged(p.result for p in (*self.everything, *self.proxies))
        return ladders(LADDER, results, self.losses_of, self.noises)

    def losses_of(self, result: Result) -> TitleLosses:
        """The losses title by title of one of the story's results or proxies. Raises UserError: they were not
        published, or are damaged."""
        published = next(p for p in (*self.everything, *self.proxies) if p.result.name == result.name)
        if published.title_losses is None:
            raise UserError("losses by title not published")
        return published.title_losses

    @cached_property
    def digest(self) -> str:
        """12 hex digits that tell stories with the same parts apart: a hash of what `ladders` and `everything` hold."""
        named = [f"{p.result.name}@{p.digest}" for p in (*self.everything, *self.proxies)]
        return hashlib.sha256("\n".join([*named, *map(repr, self.noises)]).encode()).hexdigest()[:12]

    @cached_property
    def noises(self) -> list[SeedNoise]:
        """Seed deviations that were measured beside these results."""
        return [noise for root in self._roots for noise in read_noises(root)]

    @cached_property
    def anchors(self) -> dict[str, float]:
        """Losses of counting and of compressing on the story's titles, by name; empty where they were not measured."""
        return lines((entry for root in self._roots for entry in read_anchors(root)), self.some_run.result.titles)

    @property
    def _roots(self) -> list[Path]:
        return sorted({p.folder.parent for p in (*self.everything, *self.proxies)})

    @property
    def is_sample(self) -> bool:
        """Whether the titles come from the embedded grammar."""
        return self.some_run.result.corpus.kind == "sample"


def _cast(group: list[Published]) -> dict[str, Published | None]:
    """Who plays each part: a run of one of its recipes, with that recipe's configuration. The demo's runs play only
    where no real one does, because a step is told as the change from the run before it."""
    is_demo = not any(called(p.result) in _REAL for p in group)
    return {part.key: _of_recipe(part.recipes[-1 if is_demo else 0], group) for part in PARTS}


def _of_recipe(recipe: str, group: Sequence[Published]) -> Published | None:
    return _first_of(official_first(p.result for p in group if called(p.result) == recipe), group)


def _told_last(group: list[Published]) -> tuple[int, bool, int, str]:
    """Sorts groups of results on the same titles, the story's own first; proxies are it only where nothing else is."""
    n_parts = sum(published is not None for published in _cast(group).values())
    return -n_parts, group[0].result.is_proxy, -len(group), group[0].result.name


def _best(group: list[Published]) -> Published | None:
    return _first_of(record(p.result for p in group), group)


def _first_of(results: list[Result], group: Sequence[Published]) -> Published | None:
    return next((p for p in group if p.result is results[0]), None) if results else None
