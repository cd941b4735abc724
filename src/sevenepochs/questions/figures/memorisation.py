"""Memorisation: loss on titles met in training and on new ones, beside token pairs that have met none of them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sevenepochs.metrics import format_metric
from sevenepochs.questions.figures.style import BLUE, FAINT, ORANGE, draw, note

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MET = {
    "word_for_word": "met word for word",
    "near": "met but for case, punctuation, year or tag",
    "new": "not met",
}


def figure(data: Mapping[str, Any], name: str | None = None) -> str:
    """The SVG of analysis/memorisation.json; `name`: the run's, for the title."""
    rows = data["kinds"]

    def build(figure: Figure) -> None:
        axes = figure.subplots()
        for row, part in enumerate(rows):
            axes.plot(
                [part["nats_per_char"], part["pair_nats_per_char"]], [row, row], color=FAINT, linewidth=0.8, zorder=1
            )
        places = range(len(rows))
        axes.scatter([part["nats_per_char"] for part in rows], places, color=BLUE, s=44, label="this model", zorder=2)
        axes.scatter(
            [part["pair_nats_per_char"] for part in rows],
            places,
            color=ORANGE,
            marker="s",
            s=38,
            label="table of token pairs",
            zorder=2,
        )
        for row, part in enumerate(rows):
            right = max(part["nats_per_char"], part["pair_nats_per_char"])
            axes.annotate(
                _ratio(part),
                (right, row),
                xytext=(8, 0),
                textcoords="offset points",
                va="center",
                fontsize=9,
            )
        axes.set_yticks(places, [_label(part) for part in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        values = [part[key] for part in rows for key in ("nats_per_char", "pair_nats_per_char")]
        axes.set_xlim(0, max(values) * 1.6)  # room for the ratios
        axes.set_xlabel("loss (nats per character)")
        axes.set_title("Loss on titles met in training" + (f": {name}" if name else ""))
        axes.legend(loc="lower left")
        note(axes, "\n".join(textwrap.wrap(f"{data['sentence']}; {_counted(data)}", 112)))

    return draw(build, 2.3 + 0.55 * len(rows), "Loss on validation titles that occur in training and on new ones")


def _label(part: Mapping[str, Any]) -> str:
    return "\n".join([*textwrap.wrap(_MET[part["name"]], 26), f"({part['n_titles']:,} titles)"])


def _ratio(part: Mapping[str, Any]) -> str:
    text = f"ratio {format_metric('ratio_to_pairs', part['ratio_to_pairs'])}"
    if part["interval"] is None:
        return text
    low, high = (format_metric("ratio_to_pairs", value) for value in part["interval"])
    return f"{text} ({low} to {high})"


def _counted(data: Mapping[str, Any]) -> str:
    left_out = f"{data['n_left_out_of_pairs']:,} training titles that these repeat"
    return f"ratio: this model's loss over the table's, with its 95 % interval; pairs counted without {left_out}"
