"""The page on where the loss is: what the analyses in the results say, run beside run. No torch."""

from __future__ import annotations

from typing import Any

from sevenepochs.metrics import format_metric
from sevenepochs.recipes.configs import called
from sevenepochs.report import tables
from sevenepochs.report.chapter import cast
from sevenepochs.report.story import Story

_RARE = ("times_0", "times_1_to_9", "times_10_to_99")  # kinds of analysis.where_loss


def sentences(story: Story) -> dict[str, str] | None:
    """Return the text beside the figures: `runs` that they show, and a sentence each on `position` and `frequency` for
    the last run of the story; None where no run was published with the analysis."""
    analysed = [p for p in cast(story) if "where_loss" in p.analyses]
    if not analysed:
        return None
    last = analysed[-1]
    parts = {b["name"]: b["parts"] for b in last.analyses["where_loss"]["tokens"]}
    first, *others = parts["position"]
    rare = [p for p in parts["frequency"] if p["name"] in _RARE]
    name = f"`{called(last.result)}`"

    def cost(of: list[dict[str, Any]]) -> str:
        return format_metric("nats_per_token", sum(p["nats"] for p in of) / sum(p["n_tokens"] for p in of), unit=True)

    def share(of: list[dict[str, Any]]) -> str:
        return format_metric("share", sum(p["share"] for p in of))

    n_rare, n_tokens = (sum(p["n_tokens"] for p in of) for of in (rare, parts["frequency"]))
    of_tokens = format_metric("share", n_rare / n_tokens)
    return {
        "runs": f"Runs: {', '.join(called(p.result) for p in analysed)}.",
        "position": f"For {name}, the first token of a title costs {cost([first])} and makes up {share([first])} of the"
        f" whole loss; all later ones cost {cost(others)} on average.",
        "frequency": f"Tokens that occur fewer than 100 times in training are {of_tokens} of the tokens and"
        f" {share(rare)} of the loss of {name}.",
    }


def kinds_tables(story: Story) -> str:
    """One table for each way of sorting titles into kinds: how many there are, and each run's loss on them; "" where no
    run was published with its losses title by title."""
    runs = [(p, losses) for p in cast(story) if (losses := p.title_losses) is not None and losses.groupings]
    if not runs:
        return ""
    head = ["", "titles", "of the characters", *(f"`{called(p.result)}`" for p, _ in runs)]
    first = runs[0][1]
    parts = [
        "## All kinds of titles",
        "Exact loss in nats per character over the titles of each kind. Each title is in one row of each table.",
    ]
    for name, grouping in first.groupings.items():
        rows = []
        there = [losses if name in losses.groupings else None for _, losses in runs]
        for index, kind in enumerate(grouping.kinds):
            inside = grouping.of_title == index
            if inside.any():
                means = (of.nats[inside].sum() / of.n_chars[inside].sum() if of else None for of in there)
                share = format_metric("share", float(first.n_chars[inside].sum() / first.n_chars.sum()))
                cells = (format_metric("exact_val_loss", mean) for mean in means)
                rows.append([kind, f"{int(inside.sum()):,}", share, *cells])
        parts += [f"### {grouping.label[:1].upper()}{grouping.label[1:]}", tables.table(head, rows)]
    return "\n\n".join(parts)
