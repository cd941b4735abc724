"""Loss curves of several runs: one metric, one axis. Training loss (nats per token) never shares it with validation."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sevenepochs.errors import UserError
from sevenepochs.metrics import METRICS, format_metric
from sevenepochs.questions.figures.style import FAINT, Figure, draw, label, series


def figure(
    curves: Mapping[str, Iterable[Mapping[str, Any]]],
    metric: str = "exact_val_loss",
    title: str | None = None,
    lines: Mapping[str, float] | None = None,
) -> str:
    """Return the SVG of one metric over the steps.

    Args:
        curves: by label, rows with `step` and the metric, numbers or their text (curve.csv, `Run.metrics()`); rows
            without the metric are left out.
        metric: a name of metrics.py.
        lines: levels by label, drawn as thin horizontal lines, e.g. the floor.

    Raises:
        UserError: no row has the metric.
    """
    points = {run: found for run, rows in curves.items() if (found := _points(rows, metric))}
    if not points:
        raise UserError(f"no run has a {metric} to draw")
    what = METRICS[metric]
    meaning = _TITLES.get(metric, what.label)

    def build(figure: Figure) -> None:
        axes = figure.subplots()
        for (run, found), (colour, marker, line) in zip(points.items(), series(), strict=False):
            steps, values = zip(*found, strict=True)
            name = f"{run}: {format_metric(metric, values[-1])} at the end"
            look = {"color": colour, "linestyle": line, "marker": marker if len(found) <= 40 else None}
            axes.plot(steps, values, label=name, **look)
        for name, level in (lines or {}).items():
            axes.axhline(level, color=FAINT, linewidth=1.0, linestyle=(0, (6, 3)))
            text = f"{name} {format_metric(metric, level)}"
            beside = {"xycoords": ("axes fraction", "data"), "ha": "right", "va": "baseline", "color": FAINT}
            label(axes, text, (0.995, level), 0, 3, **beside)
        axes.set(title=title or meaning, xlabel="step")
        axes.set_ylabel(f"{what.label} ({what.unit})" if what.unit else what.label)
        axes.legend(loc="upper right")

    return draw(build, 4.2, f"{meaning} over the training steps of {', '.join(points)}")


_TITLES = {
    "exact_val_loss": "Exact validation loss",
    "official_val_loss_own_geometry": "Validation loss as the challenge's log prints it",
    "train_loss_nats_per_token": "Training objective (per token, dropout on)",
}


def _points(rows: Iterable[Mapping[str, Any]], metric: str) -> list[tuple[int, float]]:
    return [(int(row["step"]), float(row[metric])) for row in rows if row.get(metric) not in (None, "")]
