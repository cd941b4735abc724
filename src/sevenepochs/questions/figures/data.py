"""What the model reads: lengths of the training titles in characters and tokens, and the most frequent words."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sevenepochs.metrics import format_metric
from sevenepochs.questions.figures.style import BLUE, GREEN, ROW_IN, bars, draw, note, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def lengths(data: Mapping[str, Any]) -> str:
    """The SVG of two histograms of analysis/data.json."""

    def build(figure: Figure) -> None:
        chars, tokens = figure.subplots(1, 2)
        _histogram(chars, data["title_chars"], "characters", BLUE)
        _histogram(tokens, data["title_tokens"], "tokens", GREEN)
        chars.set_ylabel("titles")
        chars.set_title("Characters a title")
        tokens.set_title("Tokens a title")
        note(
            chars,
            f"{data['n_titles']:,} training titles, {data['n_tokens']:,} tokens with <eos>; "
            f"{format_metric('chars_per_token', data['chars_per_token'])} characters a token; "
            "the last bar holds all longer ones",
        )

    return draw(build, 3.6, "Histograms of the training titles' lengths in characters and in tokens")


def words(data: Mapping[str, Any]) -> str:
    """The SVG of the most frequent words of analysis/data.json."""
    rows = data["words"]

    def build(figure: Figure) -> None:
        axes = figure.subplots()
        bars(
            axes,
            [row["word"] for row in rows],
            [row["count"] for row in rows],
            [f"{row['count']:,}" for row in rows],
            color=BLUE,
        )
        axes.set_title(f"The {len(rows)} most frequent words of the training titles")
        axes.set_xlabel("occurrences, upper and lower case together")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        note(axes, f"{data['n_titles']:,} titles; <eos> is {percent(data['eos_share'])} of the tokens")

    return draw(build, 1.4 + ROW_IN * len(rows), f"Bar chart of the {len(rows)} most frequent words")


def _histogram(axes: Axes, summary: Mapping[str, Any], unit: str, colour: str) -> None:
    width, counts = summary["histogram"]["width"], summary["histogram"]["counts"]
    axes.bar([i * width for i in range(len(counts))], counts, width * 0.92, align="edge", color=colour)
    axes.axvline(summary["median"], color="black", linewidth=1, linestyle="--")
    axes.annotate(
        f"median {summary['median']:g}",
        (summary["median"], 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(4, -4),
        textcoords="offset points",
        va="top",
        fontsize=9,
    )
    axes.set_xlabel(unit)
    axes.set_xlim(0, len(counts) * width)
    axes.set_ylim(0, max(counts) * 1.14)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.grid(visible=False, axis="x")
