"""The page on where the loss is: what the analyses in the results say, run beside run. No torch."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from sevenepochs.metrics import format_metric
from sevenepochs.report import tables
from sevenepochs.report.inputs import Published
from sevenepochs.report.story import Story
from sevenepochs.report.verdict import title_losses


def sections(story: Story, figure: Callable[[str, str], str], labels: Mapping[str, object]) -> str:
    """Markdown sections; "" where no run has what they need."""
    cast = {p.result.name: p for p in story.parts.values() if p is not None}
    runs = [p for p in cast.values() if title_losses(p) is not None]
    return by_kind(runs) if runs else ""


def by_kind(runs: list[Published]) -> str:
    """One table for each way of sorting titles into kinds: how many there are, and each run's loss on them."""
    losses = [title_losses(p) for p in runs]
    names = [f"`{p.result.facts['recipe']}`" for p in runs]
    first = losses[0]
    assert first is not None, "callers choose runs that have them"
    parts = ["## By kind of title"]
    for name, grouping in first.groupings.items():
        rows = []
        for index, kind in enumerate(grouping.kinds):
            inside = grouping.of_title == index
            if not inside.any():
                continue
            share = format_metric("share", float(first.n_chars[inside].sum() / first.n_chars.sum()))
            cells = []
            for one in losses:
                assert one is not None and name in one.groupings, "published by one version of the package"
                cells.append(format_metric("exact_val_loss", _ratio(one.nats, one.n_chars, inside)))
            rows.append([kind, f"{int(inside.sum()):,}", share, *cells])
        if rows:
            parts += [
                f"### {grouping.label.capitalize()}",
                tables.table(["", "titles", "of the characters", *names], rows),
            ]
    intro = "Exact loss in nats per character over the titles of each kind; each title is in one row of each table."
    return "\n\n".join([parts[0], intro, *parts[1:]])


def _ratio(nats: np.ndarray, n_chars: np.ndarray, inside: np.ndarray) -> float:
    return float(nats[inside].sum() / n_chars[inside].sum())
