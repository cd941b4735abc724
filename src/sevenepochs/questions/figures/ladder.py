"""The ladder: recipes in order, each derived from the one before; losses as dots, changes with their intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sevenepochs.metrics import METRICS, format_metric
from sevenepochs.questions.figures.style import BLUE, FAINT, GREEN, VERMILLION, Figure, draw, label, name_rows, note

_LINEAR = 0.01
_TICKS = (-1, -0.1, -0.01, 0, 0.01, 0.1, 1)


def figure(rungs: Sequence[Mapping[str, Any]], title: str = "The ladder", footnote: str = "") -> str:
    """Return the SVG of a ladder.

    Args:
        rungs: from the first to the last: `label`, `exact_val_loss`, and for all but the first, where they were
            measured, `difference` to the rung before, its interval `low`, `high` (nats per character), and `counts`:
            whether it may be claimed.
    """
    unit = METRICS["exact_val_loss"].unit

    def build(figure: Figure) -> None:
        axes, steps = figure.subplots(1, 2, sharey=True, width_ratios=(1.2, 1))
        places = range(len(rungs))
        losses = [rung["exact_val_loss"] for rung in rungs]
        axes.plot(losses, places, color=FAINT, linewidth=1, zorder=1)
        axes.scatter(losses, places, color=BLUE, s=40, zorder=2)
        for place, loss in zip(places, losses, strict=True):
            ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
            label(axes, format_metric("exact_val_loss", loss), (loss, place), 7, bbox=ground)
        span = (max(losses) - min(losses)) or 0.1
        axes.set_xlim(min(losses) - 0.08 * span, max(losses) + 0.3 * span)
        name_rows(axes, [rung["label"] for rung in rungs])
        axes.set(xlabel=f"exact loss ({unit})", title=title)
        for place, rung in enumerate(rungs):
            if (value := rung.get("difference")) is None:
                continue
            sure = rung.get("high") is not None and rung["high"] < 0
            worse = rung.get("low") is not None and rung["low"] > 0
            colour, marker = (GREEN, "o") if sure else (VERMILLION, "s") if worse else (FAINT, "D")
            filling = colour if rung.get("counts") else "white"
            steps.scatter([value], [place], facecolor=filling, edgecolor=colour, marker=marker, s=34, zorder=2)
            if rung.get("low") is not None:
                steps.hlines(place, rung["low"], rung["high"], color=colour, linewidth=1.8)
            text = format_metric("val_loss_difference", value)
            label(steps, text, (value, place), 0, 7, ha="center", va="baseline", fontsize=8.5)
        steps.axvline(0, color=FAINT, linewidth=1)
        changes = [rung[key] for rung in rungs for key in ("difference", "low", "high") if rung.get(key) is not None]
        # the first step is a hundred times the others: beyond 0.01, tenfold takes as much room as from 0 to 0.01
        steps.set_xscale("symlog", linthresh=_LINEAR)
        lowest, highest = min(changes, default=0), max(changes, default=0)
        steps.set_xlim(-max(1.6 * _LINEAR, -3 * lowest), max(1.6 * _LINEAR, 3 * highest))  # room for labels
        steps.set_xticks([v for v in _TICKS if steps.get_xlim()[0] <= v <= steps.get_xlim()[1]])
        steps.xaxis.set_major_formatter(lambda value, _: f"{value:+g}" if value else "0")
        steps.minorticks_off()
        steps.set(xlabel=f"change from the rung above ({unit})", title="Change and 95 % interval")
        steps.grid(visible=False, axis="y")
        kinds = "circle: lower, square: higher, diamond: the interval holds 0; hollow: no claim yet"
        note(axes, f"{kinds}{'; ' + footnote if footnote else ''}")

    described = "Exact loss of the recipes of the ladder and the change at every rung"
    return draw(build, 1.7 + 0.42 * len(rungs), described, 8.4)
