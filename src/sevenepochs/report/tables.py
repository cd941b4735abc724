"""The pages' tables, as Markdown. Every number goes through metrics.py."""

from __future__ import annotations

from typing import Any

from sevenepochs.metrics import METRICS, format_metric
from sevenepochs.recipes.configs import called
from sevenepochs.report.fragments import minutes, token
from sevenepochs.report.inputs import Published
from sevenepochs.report.tail_drop import Window

FIGURES = (
    "exact_val_loss",
    "official_val_loss",
    "official_val_loss_own_geometry",
    "val_scored_fraction",
    "exact_val_bpc",
)
_ONLY_SAMPLE = ("floor_val_loss", "excess_val_loss")


def figures(published: Published) -> str:
    """A run's five figures with unit and meaning; the floor and the excess where there are such."""
    values = published.result.figures.by_name()
    rows = [
        [METRICS[name].label, format_metric(name, values[name]), METRICS[name].unit, METRICS[name].meaning]
        for name in (*FIGURES, *_ONLY_SAMPLE)
        if name in values
    ]
    return table(["figure", "value", "unit", "what it is"], rows)


def side_by_side(before: Published, after: Published) -> str:
    """The figures of two runs and the difference of each."""
    rows = []
    old, new = before.result.figures.by_name(), after.result.figures.by_name()
    for name in (*FIGURES, *_ONLY_SAMPLE):
        if name in old and name in new:
            rows.append([METRICS[name].label, format_metric(name, old[name]), format_metric(name, new[name])])
    facts = [before.result.facts, after.result.facts]
    for name in ("parameters", "n_steps"):
        rows.append([METRICS[name].label, *(format_metric(name, getattr(f, name)) for f in facts)])
    return table(["", f"`{called(before.result)}`", f"`{called(after.result)}`"], rows)


def runs_table(published: tuple[Published, ...]) -> str:
    """All runs, highest exact loss first, each with its difference from the one above it."""
    rows = []
    above: float | None = None
    top = published[0].result.exact if published else 1.0
    for result in (one.result for one in published):
        facts, exact = result.facts, result.exact
        rows.append(
            [
                f"`{called(result)}`",
                str(result.seed),
                format_metric("exact_val_loss", exact),
                "" if above is None else format_metric("val_loss_difference", exact - above),
                format_metric("val_loss_ratio", exact / top),
                format_metric("official_val_loss", result.figures.official_val_loss),
                format_metric("parameters", facts.parameters),
                minutes(result),
                str(facts.track),
                "clean" if result.is_clean else f"broken: {', '.join(result.broken)}",
            ]
        )
        above = exact
    head = ["recipe", "seed", "exact", "from the row above", "of the first row", "official 64x128", "parameters"]
    return table([*head, "time", "track", "certificate"], rows)


def top_tokens(before: Published | None, after: Published, row: int, position: int) -> str:
    """The ten most probable next tokens of one run, or of two side by side; "" where one was not analysed there."""
    runs = [p for p in (before, after) if p is not None]
    places = [_place(p, row, position) for p in runs]
    if None in places:
        return ""
    head, rows = [""], [[str(i + 1)] for i in range(10)]
    for published, place in zip(runs, places, strict=True):
        assert place is not None, "checked above"
        head += [f"`{called(published.result)}`", "probability"]
        for i, guess in enumerate(place["top"][:10]):
            rows[i] += [token(guess["token"]), format_metric("probability", guess["probability"])]
    return table(head, [r for r in rows if len(r) == len(head)])


def rules(published: Published) -> str:
    """The certificate's rules."""
    found = published.certificate["rules"]
    return table(
        ["rule", "held", "observed"],
        [[r["rule"], "yes" if r["ok"] else "**no**", r["detail"].replace("<", "\\<")] for r in found],
    )


def tail_drop(rows: list[Window]) -> str:
    """What `evaluate()` would score and print for one model at several window sizes."""
    cells = [
        [
            f"{w.batch_size} x {w.block_size}",
            f"{w.n_windows:,}",
            format_metric("val_scored_fraction", w.fraction),
            format_metric("official_val_loss", w.printed) if w.printed is not None else "0 (nothing scored)",
        ]
        for w in rows
    ]
    return table(["batch x block", "whole windows", "tokens scored", "would print, nats/char"], cells)


def metrics() -> str:
    """Every metric by name, for the glossary."""
    rows = [[f"`{m.name}`", m.label, m.unit, m.meaning] for m in METRICS.values()]
    return table(["name", "short", "unit", "meaning"], rows)


def table(head: list[str], rows: list[list[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines)


def _cell(text: str) -> str:
    return text.replace("\n", " ").replace("|", "\\|").replace("\\\\|", "\\|")


def _place(published: Published, row: int, position: int) -> dict[str, Any] | None:
    places = published.analyses.get("next_token", {}).get("places", [])
    return next((p for p in places if (p["row"], p["position"]) == (row, position)), None)
