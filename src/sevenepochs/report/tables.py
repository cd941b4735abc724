"""Tables of the pages as Markdown. Every number goes through metrics.py."""

from __future__ import annotations

import re

from sevenepochs.metrics import METRICS, format_metric
from sevenepochs.recipes.configs import called
from sevenepochs.report.fragments import token
from sevenepochs.report.inputs import Published

_OFFICIAL = ("official_val_loss", "official_val_loss_own_geometry")
FIGURES = ("exact_val_loss", *_OFFICIAL, "val_scored_fraction", "exact_val_bpc")
_ONLY_SAMPLE = ("floor_val_loss", "excess_val_loss")
_BAR = re.compile(r"(?<!\\)\|")


def figures(published: Published) -> str:
    """Return a run's five figures with unit and meaning, and the floor and the excess where there are such."""
    values = published.result.figures.by_name()
    found = [(METRICS[name], values[name]) for name in (*FIGURES, *_ONLY_SAMPLE) if name in values]
    rows = [[metric.label, format_metric(metric.name, value), metric.unit, metric.meaning] for metric, value in found]
    return table(["figure", "value", "unit", "what it is"], rows)


def side_by_side(before: Published, after: Published) -> str:
    """Return the figures and the size of two runs, one column per run."""
    results = [before.result, after.result]
    size = ("parameters", "n_steps")
    values = [r.figures.by_name() | {name: getattr(r.facts, name) for name in size} for r in results]
    names = [name for name in (*FIGURES, *_ONLY_SAMPLE, *size) if all(name in one for one in values)]
    rows = [[METRICS[name].label, *(format_metric(name, one[name]) for one in values)] for name in names]
    return table(["", *(f"`{called(result)}`" for result in results)], rows)


def top_tokens(before: Published | None, after: Published, row: int, position: int) -> str:
    """Return the ten most probable next tokens of one run, or of two side by side; "" where one was not analysed
    there."""
    head, columns = [""], []
    for published in (before, after):
        if published is not None:
            if (place := published.place(row, position)) is None:
                return ""
            head += [f"`{called(published.result)}`", "probability"]
            columns.append([token(guess["token"]) for guess in place["top"][:10]])
            columns.append([format_metric("probability", guess["probability"]) for guess in place["top"][:10]])
    rows = [[str(rank), *cells] for rank, cells in enumerate(zip(*columns, strict=False), 1)]
    return table(head, rows)


def rules(published: Published) -> str:
    """Return the certificate's rules, whether each held, and what was observed."""
    found = published.certificate["rules"]
    rows = [[rule["rule"], "yes" if rule["ok"] else "**no**", rule["detail"].replace("<", "\\<")] for rule in found]
    return table(["rule", "held", "observed"], rows)


def metrics() -> str:
    """Return every metric by name, for the glossary."""
    rows = [[f"`{m.name}`", m.label, m.unit, m.meaning] for m in METRICS.values()]
    return table(["name", "short", "unit", "meaning"], rows)


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a Markdown table. Bars in cells are escaped, unless they are already."""
    lines = (" | ".join(_BAR.sub(r"\\|", cell) for cell in line) for line in (head, ["---"] * len(head), *rows))
    return "\n".join(f"| {line} |".replace("\n", " ") for line in lines)
