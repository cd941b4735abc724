"""Where the loss is: bars for each breakdown of analysis/where_loss.json; one or several runs side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sevenepochs.metrics import format_metric
from sevenepochs.questions.figures.style import PALETTE, draw, heading, note

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_BAR_IN = 0.2


def figure(data: Mapping[str, Any] | Mapping[str, Mapping[str, Any]], name: str, run: str | None = None) -> str:
    """The SVG of one breakdown.

    Args:
        data: where_loss.json of one run, or of several by label (they share the validation titles).
        name: of the breakdown: position, part, frequency, context, prefix, year, tag, digits, question, length, known.
        run: what the title calls a single run.
    """
    runs: Mapping[str, Any] = {"": data} if "exact_val_loss" in data else data
    of_titles = any(b["name"] == name for b in next(iter(runs.values()))["titles"])
    breakdowns = {label: _breakdown(run, name) for label, run in runs.items()}
    first = next(iter(breakdowns.values()))
    labels = [part["label"] for part in first["parts"]]
    what = "whether the title occurs in training" if name == "known" else first["label"]
    key, unit = ("nats_per_char", "nats per character") if of_titles else ("nats_per_token", "nats per token")

    def build(figure: Figure) -> None:
        axes, shares = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1.4))
        height = 0.8 / len(breakdowns)
        for index, (label, breakdown) in enumerate(breakdowns.items()):
            by_label = {part["label"]: part for part in breakdown["parts"]}
            places = [row + (index - (len(breakdowns) - 1) / 2) * height for row in range(len(labels))]
            parts = [by_label[text] for text in labels]
            values = [part[key] for part in parts]
            axes.barh(places, values, height=height * 0.9, color=PALETTE[index % len(PALETTE)], label=label or None)
            for place, value in zip(places, values, strict=True):
                text = format_metric("exact_val_loss" if of_titles else "nats_per_token", value)
                axes.annotate(
                    text,
                    (value, place),
                    xytext=(3, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=8.5,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4},  # the dotted line ends at it
                )
            shares.barh(
                places,
                [100 * part["share"] for part in parts],
                height=height * 0.9,
                color=PALETTE[index % len(PALETTE)],
            )
            axes.axvline(_mean(runs[label], of_titles), color=PALETTE[index % len(PALETTE)], linewidth=1, linestyle=":")
        axes.set_yticks(range(len(labels)), labels)
        axes.set_ylim(len(labels) - 0.4, -0.6)
        axes.set_xlim(0, 1.17 * max(part[key] for b in breakdowns.values() for part in b["parts"]))
        for panel in (axes, shares):
            panel.grid(visible=False, axis="y")
            panel.tick_params(axis="y", length=0)
        axes.set_xlabel(f"loss ({unit})")
        shares.set_xlabel("share of all nats (%)")
        # over the whole width: long labels leave the axes little
        text = f"Loss by {what}" + (f": {run}" if run else "")
        heading(figure, text, axes if len(breakdowns) > 1 else None)
        note(axes, f"dotted: over everything; {_counted(next(iter(runs.values())))}")

    rows = len(labels) * max(1, len(breakdowns) * 0.8)
    return draw(build, 1.6 + (_BAR_IN + 0.08) * rows, f"Bar chart of the loss by {what}")


def names(data: Mapping[str, Any]) -> Sequence[str]:
    """The breakdowns that a where_loss.json has."""
    return [b["name"] for b in (*data["tokens"], *data["titles"])]


def _breakdown(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    return next(b for b in (*data["tokens"], *data["titles"]) if b["name"] == name)


def _mean(data: Mapping[str, Any], of_titles: bool) -> float:
    exact = float(data["exact_val_loss"])
    return exact if of_titles else exact * data["n_chars"] / data["n_tokens"]


def _counted(data: Mapping[str, Any]) -> str:
    return f"{data['n_tokens']:,} tokens of {data['n_titles']:,} validation titles, each counted once"
