"""A paired difference in words, and whether it counts.

The rule (docs/comparing.md): a difference counts when at least three pairs of seeds give an interval over titles and
seeds that excludes 0; of fewer pairs, when the interval over titles excludes 0 and the difference is larger than four
times the seed deviation, measured on at least three seeds. Everything else is no claim, and the sentence says what is
missing.
"""

from __future__ import annotations

from dataclasses import dataclass

from sevenepochs.comparison.noise import SEEDS_TO_CLAIM, SeedNoise
from sevenepochs.comparison.paired import PairedDifference
from sevenepochs.metrics import format_metric

DEVIATIONS_TO_CLAIM = 4


@dataclass(frozen=True)
class Verdict:
    """`winner`: the better recipe where the difference counts, else None. `words`: one line for people."""

    winner: str | None
    words: str

    @property
    def counts(self) -> bool:
        return self.winner is not None


def verdict(first: str, second: str, difference: PairedDifference, noise: SeedNoise | None) -> Verdict:
    """Return the claim that may be made about `second` against `first`."""
    if difference.identical:
        return Verdict(None, f"{second} and {first} are identical, title by title")
    is_seeded = difference.n_pairs >= SEEDS_TO_CLAIM
    # two pairs say next to nothing about seeds (t with one degree of freedom); their deviation is measured elsewhere
    interval = difference.widest if is_seeded else difference.over_titles
    if interval is None:
        return Verdict(None, "no difference can be claimed: one title says nothing about others")
    better, worse = (second, first) if difference.value < 0 else (first, second)
    size = format_metric("val_loss_half_width", abs(difference.value))
    half_width = format_metric("val_loss_half_width", interval.half_width, unit=True)
    amount = f"by {size} ± {half_width}"
    note = _seeds_note(difference, noise)
    if not interval.excludes_zero:
        return Verdict(None, f"no difference can be claimed: {better} is lower {amount}{note}")
    is_large = (
        noise is not None
        and noise.n >= SEEDS_TO_CLAIM
        and noise.sd > 0
        and abs(difference.value) > DEVIATIONS_TO_CLAIM * noise.sd
    )
    if is_seeded or is_large:
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
