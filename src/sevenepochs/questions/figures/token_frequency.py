"""The most frequent tokens of the training text: what a model reads most, and what it says when it knows no better."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sevenepochs.questions.figures.style import BLUE, ROW_IN, VERMILLION, bars, draw, note, percent, token_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure(data: Mapping[str, Any]) -> str:
    """The SVG of analysis/token_frequency.json: `n_tokens`, `top` (rows of `token`, `count`, `share`)."""
    rows = data["top"]

    def build(figure: Figure) -> None:
        axes = figure.subplots()
        colours = [VERMILLION if row["token"] == "<eos>" else BLUE for row in rows]
        texts = [f"{percent(row['share'])} ({row['count']:,})" for row in rows]
        bars(axes, [token_label(row["token"]) for row in rows], [row["share"] for row in rows], texts, color=colours)
        axes.set_xlim(0, max(row["share"] for row in rows) * 1.28)
        axes.set_title(f"The {len(rows)} most frequent training tokens")
        axes.set_xlabel("share of all training tokens, and count")
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
        note(axes, f"{data['n_tokens']:,} tokens an epoch; <eos> ends every title; · is a space")

    return draw(build, 1.5 + ROW_IN * len(rows), f"Bar chart of the {len(rows)} most frequent training tokens")
