"""What a comparison of two runs is worth, in words: with an interval over titles where both published their per-title
losses, and never more certain than one seed allows. No torch."""

from __future__ import annotations

from dataclasses import dataclass

from sevenepochs.analysis.paired import PairedDifference, paired_difference
from sevenepochs.metrics import format_metric
from sevenepochs.report.inputs import Published
from sevenepochs.report.story import exact
from sevenepochs.title_losses import NAME, TitleLosses


@dataclass(frozen=True)
class Verdict:
    """`sentence` for prose; `paired` is None where per-title losses are missing."""

    sentence: str
    paired: PairedDifference | None


def verdict(before: Published, after: Published) -> Verdict:
    """Compare two runs on the same validation titles."""
    difference = exact(after) - exact(before)
    moved = (
        f"The exact loss {'falls' if difference < 0 else 'rises'} by"
        f" {format_metric('difference_val_loss', difference, unit=True)}, to"
        f" {format_metric('ratio_of_losses', exact(after) / exact(before))} of what it was."
    )
    if difference == 0:
        moved = "The exact loss is the same to the last digit."
    first, second = title_losses(before), title_losses(after)
    if first is None or second is None:
        return Verdict(
            f"{moved} It is one run each, and their losses title by title were not published: whether a difference"
            " of this size could be the seed's doing, these two numbers cannot tell.",
            None,
        )
    seeds = (int(before.result.facts["seed"]), int(after.result.facts["seed"]))
    paired = paired_difference([first], [second], [seeds])
    interval = paired.over_titles
    if interval is None:
        return Verdict(f"{moved} There is a single validation title, so nothing can be said of others.", paired)
    low, high = (format_metric("difference_val_loss", value) for value in interval)
    share = format_metric("share", paired.share_better)
    judged = (
        "The interval excludes zero: on other titles of this kind, these two models would differ in the same direction."
        if interval.excludes_zero
        else "The interval includes zero: on other titles of this kind, the order could be the other way round."
    )
    return Verdict(
        f"{moved} Drawn again over {paired.n_titles:,} titles, the difference lies between {low} and {high} nats/char"
        f" (95 in 100 draws), and {share} of the titles got a lower loss. {judged} It is one run each: what another"
        " seed would have changed, the interval does not contain.",
        paired,
    )


def title_losses(published: Published) -> TitleLosses | None:
    """The run's losses title by title; None where they were not published."""
    data = published.analyses.get(NAME)
    return None if data is None else TitleLosses.from_json(data, f"{published.result.path}/analysis/{NAME}.json")
