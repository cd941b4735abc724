"""The page on where the loss is: what the analyses in the results say, run beside run. No torch."""

from __future__ import annotations

from typing import Any

from sevenepochs.metrics import format_metric
from sevenepochs.recipes.configs import called
from sevenepochs.report import tables
from sevenepochs.report.chapter import cast
from sevenepochs.report.inputs import Published
from sevenepochs.report.story import Story

_RARE = ("times_0", "times_1_to_9", "times_10_to_99")  # kinds of analysis.where_loss


def sentences(story: Story) -> dict[str, str] | None:
    """Return the text beside the figures: `runs` that they show, and a sentence each on `position` and `frequency` for
    the last run of the story; None where no run was published with the analysis."""
    analysed = [p for p in cast(story) if "where_loss" in p.analyses]
    if not analysed:
        return None
    last = analysed[-1]
    by_place, by_count = (_parts(last, name) for name in ("position", "frequency"))
    first, others = by_place[0], by_place[1:]
    rare = [p for p in by_count if p["name"] in _RARE]
    name = f"`{called(last.result)}`"
    later = sum(p["nats"] for p in others) / sum(p["n_tokens"] for p in others)
    return {
        "runs": f"Runs: {', '.join(called(p.result) for p in analysed)}.",
        "position": (
            f"For {name}, the first token of a title costs {_nats(first['nats_per_token'])} and makes up"
            f" {_share([first])} of the whole loss; all later ones cost {_nats(later)} on average."
        ),
        "frequency": (
            f"Tokens that occur fewer than 100 times in training are {_share(rare, 'n_tokens', by_count)} of the tokens"
            f" and {_share(rare)} of the loss of {name}."
        ),
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
        for index, kind in enumerate(grouping.kinds):
            inside = grouping.of_title == index
            if inside.any():
                share = format_metric("share", float(first.n_chars[inside].sum() / first.n_chars.sum()))
                cells = [
                    format_metric("exact_val_loss", losses.nats[inside].sum() / losses.n_chars[inside].sum())
                    if name in losses.groupings
                    else "-"
                    for _, losses in runs
                ]
                rows.append([kind, f"{int(inside.sum()):,}", share, *cells])
        parts += [f"### {grouping.label[:1].upper()}{grouping.label[1:]}", tables.table(head, rows)]
    return "\n\n".join(parts)


def _parts(published: Published, breakdown: str) -> list[dict[str, Any]]:
    content = published.analyses["where_loss"]
    return list(next(b for b in content["tokens"] if b["name"] == breakdown)["parts"])


def _nats(per_token: float) -> str:
    return format_metric("nats_per_token", per_token, unit=True)


def _share(parts: list[dict[str, Any]], key: str = "share", of: list[dict[str, Any]] | None = None) -> str:
    total = sum(p[key] for p in of) if of is not None else 1.0
    return format_metric("share", sum(p[key] for p in parts) / total)
