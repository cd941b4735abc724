"""A comparison of two recipes in words: paired title by title and seed by seed where that was published,
and never more certain than the runs allow. No torch."""

from __future__ import annotations

from sevenepochs.comparison.compare import groups_to_compare, pair_groups
from sevenepochs.comparison.paired import PairedDifference
from sevenepochs.metrics import format_metric
from sevenepochs.report.inputs import Published
from sevenepochs.report.story import Story
from sevenepochs.store.choosing import recipe_key


def verdict(story: Story, before: Published, after: Published) -> str:
    """Sentences on two recipes on the same validation titles; all their seeds count."""
    old, new = before.result.exact, after.result.exact
    moved = "The exact loss is the same to the last digit."
    if new != old:
        size = format_metric("val_loss_difference", abs(new - old), unit=True).lstrip("+")
        ratio = format_metric("val_loss_ratio", new / old)
        moved = f"The exact loss {'falls' if new < old else 'rises'} by {size}, to {ratio} of what it was."
    if before.title_losses is None or after.title_losses is None:
        return (
            f"{moved} It is one run each, and their losses title by title were not published: whether a difference of"
            " this size could be the seed's doing, these two numbers cannot tell."
        )
    with_losses = [p.result for p in story.everything if p.title_losses is not None]
    groups = {recipe_key(g.results[0]): g for g in groups_to_compare(with_losses)}
    first, second = (groups[recipe_key(p.result)] for p in (before, after))
    pair = pair_groups(first, second, story.losses_of, story.noises)
    stock = ""
    if pair.stock_rows and not pair.own_are_stock:
        difference = format_metric("val_loss_difference", pair.stock_rows.value)
        stock = f" With the titles cut into the stock rows for both, the difference is {difference}."
    return f"{moved} {_drawn_again(pair.own_rows)}{stock} In one line: {pair.verdict.words}."


def _drawn_again(difference: PairedDifference) -> str:
    interval = difference.over_titles
    if interval is None:
        return "There is a single validation title, so nothing can be said of others."
    low, high = (format_metric("val_loss_difference", value) for value in interval)
    share = format_metric("share", difference.share_better)
    judged = "includes zero: on other titles of this kind the order could be the other way round."
    if interval.excludes_zero:
        judged = "excludes zero: on other titles of this kind these models would differ in the same direction."
    return (
        f"With {difference.n_titles:,} titles drawn again and again, the difference lies between {low} and {high}"
        f" nats/char in 95 of 100 draws, which {judged} {share} of the titles have a lower loss than before."
    )
