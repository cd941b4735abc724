"""Runs side by side, recipes paired on the same validation titles, and whether a difference counts. No torch.

Only runs on the same validation titles are ranked against each other. Runs of one recipe with one configuration are
one group, its seeds; each group is paired with the first one, seed by seed.

The rule (docs/comparing.md): a difference counts when at least three pairs of seeds give an interval over titles and
seeds that excludes 0; of fewer pairs, when the interval over titles excludes 0 and the difference is larger than four
times the seed deviation, measured on at least three seeds. All else is no claim, and the sentence says what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sevenepochs.comparison.noise import SEEDS_TO_CLAIM, SeedNoise, noise_for
from sevenepochs.comparison.paired import PairedDifference, paired_difference
from sevenepochs.errors import UserError
from sevenepochs.metrics import format_metric
from sevenepochs.recipes.configs import called
from sevenepochs.store.choosing import by_titles, recipe_key
from sevenepochs.store.results import Result
from sevenepochs.store.title_losses import TitleLosses

DEVIATIONS_TO_CLAIM = 4
_OTHER_TRACK = "a model of the context track is told more than the others (docs/protocol.md)"


@dataclass(frozen=True)
class Comparison:
    """Results side by side, nats per character.

    Attributes:
        results: the reference, which the caller named first, then the others by rising exact loss.
        comparable: whether all have the same validation titles, and all or none are of the context track; otherwise
            differences and ratios are None.
    """

    results: tuple[Result, ...]
    comparable: bool

    @property
    def why_not(self) -> str:
        """What sets the results apart where they are not comparable."""
        if len(by_titles(self.results)) > 1:
            return "these runs were validated on different titles"
        return _OTHER_TRACK

    @property
    def reference(self) -> Result:
        return self.results[0]

    def difference(self, result: Result) -> float | None:
        """Return the exact loss minus the reference's."""
        return result.exact - self.reference.exact if self.comparable else None

    def ratio(self, result: Result) -> float | None:
        """Return the exact loss over the reference's."""
        return result.exact / self.reference.exact if self.comparable else None


@dataclass(frozen=True)
class Group:
    """The results of one recipe and configuration, one per seed, sorted by seed."""

    name: str
    results: tuple[Result, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        return tuple(result.seed for result in self.results)


@dataclass(frozen=True)
class Verdict:
    """`winner`: the better recipe where the difference counts, else None. `words`: one line for people."""

    winner: str | None
    words: str

    @property
    def counts(self) -> bool:
        return self.winner is not None


@dataclass(frozen=True)
class Pair:
    """Two groups, paired run by run.

    Attributes:
        runs: the pairs of runs, first group's and second group's.
        stock_rows: the same difference with both scored under stock rows, so that rows alone make no part of it; None
            where one of them was not.
        own_are_stock: whether those are all runs' own rows, so that both differences are one.
        left_out: seeds that only one of the groups has.
    """

    first: str
    second: str
    runs: tuple[tuple[Result, Result], ...]
    own_rows: PairedDifference
    stock_rows: PairedDifference | None
    own_are_stock: bool
    left_out: tuple[int, ...]
    noise: SeedNoise | None
    verdict: Verdict


def compare(results: list[Result]) -> Comparison:
    """Line up results; the first is the reference.

    Raises:
        UserError: fewer than two.
    """
    if len(results) < 2:
        raise UserError("compare needs at least two runs or results")
    others = sorted(results[1:], key=lambda result: result.exact)
    tracks = {result.facts.track == "context" for result in results}
    return Comparison((results[0], *others), comparable=len(by_titles(results)) == len(tracks) == 1)


def groups_to_compare(results: Iterable[Result]) -> list[Group]:
    """Return the groups of `by_recipe` with names that tell them apart.

    Runs that would all fall into one group are compared with each other, each a group of its own.
    """
    results = list(results)
    groups = by_recipe(results)
    if len(groups) == 1:
        return [Group(result.facts.run, (result,)) for result in results]
    firsts = [group.results[0] for group in groups]
    recipes, configurations = [first.recipe for first in firsts], list(map(called, firsts))

    def name(first: Result) -> str:
        if recipes.count(first.recipe) == 1:
            return first.recipe
        # several configurations of one recipe, or one on several training sets
        return called(first) if configurations.count(called(first)) == 1 else first.facts.run

    return [Group(name(first), group.results) for first, group in zip(firsts, groups, strict=True)]


def by_recipe(results: Iterable[Result]) -> list[Group]:
    """Return a group per recipe and configuration, in the order of first mention; of several runs of a seed the newest
    is in it."""
    found: dict[str, dict[int, Result]] = {}
    for result in results:
        seeds = found.setdefault(recipe_key(result), {})
        if result.seed not in seeds or result.created_utc >= seeds[result.seed].created_utc:
            seeds[result.seed] = result
    groups = (tuple(seeds[seed] for seed in sorted(seeds)) for seeds in found.values())
    return [Group(results[0].recipe, results) for results in groups]


def pair_groups(
    first: Group, second: Group, losses_of: Callable[[Result], TitleLosses], noises: Iterable[SeedNoise] = ()
) -> Pair:
    """Pair the runs of two groups by seed; single runs are paired whatever their seeds.

    Raises:
        UserError: no seed in common, other titles, or losses by title that are missing.
    """
    firsts, seconds = ({result.seed: result for result in group.results} for group in (first, second))
    chosen = [(firsts[seed], seconds[seed]) for seed in firsts if seed in seconds]
    left_out = tuple(sorted(firsts.keys() ^ seconds.keys())) if chosen else ()
    if not chosen and len(firsts) == len(seconds) == 1:
        chosen = [(first.results[0], second.results[0])]
    if not chosen:
        a, b = (f"{group.name} (seeds {', '.join(map(str, group.seeds))})" for group in (first, second))
        raise UserError(
            f"{a} and {b} have no seed in common, so they cannot be paired; train one with the other's seed (--seed)"
        )
    for one, other in chosen:
        if one.titles != other.titles:
            raise UserError(f"{one.name} and {other.name} were validated on different titles, so they cannot be paired")
        if (one.facts.track == "context") != (other.facts.track == "context"):
            raise UserError(f"{one.name} and {other.name} are of tracks that are not compared: {_OTHER_TRACK}")
    ours, theirs = ([losses_of(run) for run in side] for side in zip(*chosen, strict=True))
    seeds = [(one.seed, other.seed) for one, other in chosen]
    own = paired_difference(ours, theirs, seeds)
    own_are_stock = all(run.facts.rows == "stock" for pair in chosen for run in pair)
    stock = own if own_are_stock else None
    rescored = _under_stock_rows(ours), _under_stock_rows(theirs)
    if not own_are_stock and len(rescored[0]) == len(rescored[1]) == len(chosen):
        stock = paired_difference(*rescored, seeds)
    noise = noise_for((*first.results, *second.results), noises)
    return Pair(
        first=first.name,
        second=second.name,
        runs=tuple(chosen),
        own_rows=own,
        stock_rows=stock,
        own_are_stock=own_are_stock,
        left_out=left_out,
        noise=noise,
        verdict=verdict(first.name, second.name, own, noise),
    )


def _under_stock_rows(losses: list[TitleLosses]) -> list[TitleLosses]:
    """Losses under stock rows, of those that were scored so."""
    return [TitleLosses(one.nats_stock_rows, one.n_chars) for one in losses if one.nats_stock_rows is not None]


def verdict(first: str, second: str, difference: PairedDifference, noise: SeedNoise | None) -> Verdict:
    """Return the claim that may be made about `second` against `first`."""
    if difference.identical:
        return Verdict(None, f"{second} and {first} are identical, title by title")
    has_enough_seeds = difference.n_pairs >= SEEDS_TO_CLAIM
    # two pairs say next to nothing about seeds (t with one degree of freedom); their deviation is measured elsewhere
    interval = difference.widest if has_enough_seeds else difference.over_titles
    if interval is None:
        return Verdict(None, "no difference can be claimed: one title says nothing about others")
    better, worse = (second, first) if difference.value < 0 else (first, second)
    change = abs(difference.value)
    size = format_metric("val_loss_half_width", change)
    half_width = format_metric("val_loss_half_width", interval.half_width, unit=True)
    amount = f"by {size} ± {half_width}"
    note = _seeds_note(difference, noise)
    if not interval.excludes_zero:
        return Verdict(None, f"no difference can be claimed: {better} is lower {amount}{note}")
    is_large = noise is not None and noise.n >= SEEDS_TO_CLAIM and change > DEVIATIONS_TO_CLAIM * noise.sd > 0
    if has_enough_seeds or is_large:
        return Verdict(better, f"{better} is better than {worse} {amount}{note}")
    return Verdict(None, f"no claim yet: {better} is lower {amount}{note}")


def _seeds_note(difference: PairedDifference, noise: SeedNoise | None) -> str:
    """The uncertainty that the interval leaves out when fewer than three seeds were paired."""
    if difference.n_pairs >= SEEDS_TO_CLAIM:
        return f" ({difference.n_pairs} seeds)"
    if difference.n_pairs == 1:
        covers = "one seed each: the interval covers titles, not seeds"
    else:
        covers = f"{difference.n_pairs} seeds, of which {SEEDS_TO_CLAIM} are needed: the interval covers titles alone"
    if noise is None:
        return f"; {covers}, and how far seeds move it is not measured (sevenepochs noise)"
    deviation = format_metric("seed_deviation", noise.sd)
    times = f", the difference is {abs(difference.value) / noise.sd:.1f} times that" if noise.sd > 0 else ""
    return f"; {covers}; seeds move the loss by {deviation} (sd of {noise.n} seeds of {noise.recipe}){times}"
