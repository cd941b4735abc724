"""What a model writes unprompted beside what people wrote: how much of it is copied, and how long it is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sevenepochs.metrics import format_metric
from sevenepochs.questions.figures.style import BLUE, ORANGE, draw, heading, note, percent

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def figure(data: Mapping[str, Any], name: str | None = None) -> str:
    """The SVG of analysis/samples.json; `name`: the run's, for the title."""
    drawn = f"{data['n_titles']:,} drawn"

    def build(figure: Figure) -> None:
        copied, lengths = figure.subplots(1, 2)
        people = data["copied_by_people"]
        _dots(
            copied,
            [f"{row['n_titles']:,} {who}" for row, who in ((data["copied"], "drawn"), (people, "validation\ntitles"))],
            [100 * row["share"] for row in (data["copied"], people)],
            [[100 * end for end in row["interval"]] for row in (data["copied"], people)],
            [f"{row['n']:,}: {percent(row['share'])}" for row in (data["copied"], people)],
        )
        copied.set_title("Training titles word for word")
        copied.set_xlabel("share of titles (%)")
        mean, training_mean = data["mean_chars"], data["training_mean_chars"]
        _dots(
            lengths,
            [drawn, f"{data['n_training_titles']:,} training\ntitles"],
            [mean, training_mean],
            [data["mean_chars_interval"], [training_mean, training_mean]],
            [format_metric("chars_per_title", value) for value in (mean, training_mean)],
        )
        lengths.set_title("Mean length")
        lengths.set_xlabel("characters a title")
        text = "What it writes unprompted" + (f": {name}" if name else "")
        heading(figure, text, copied)
        note(
            copied,
            f"temperature {data['temperature']:g}, all tokens, seed {data['seed']}; {data['n_distinct']:,} of "
            f"{data['n_titles']:,} are different, {data['n_ended']:,} came to an end; bars: 95 % intervals",
        )

    return draw(build, 3.4, f"Share of {drawn} titles that are training titles, and their mean length")


def _dots(
    axes: Axes,
    labels: Sequence[str],
    values: Sequence[float],
    intervals: Sequence[Sequence[float]],
    texts: Sequence[str],
) -> None:
    """The model's value above that of people, with intervals; markers differ as colours do."""
    looks = ((BLUE, "o", "this model"), (ORANGE, "s", "people"))
    for place, ((colour, marker, who), value, (low, high)) in enumerate(zip(looks, values, intervals, strict=True)):
        # rounding may leave an end of the interval on the wrong side of the value
        error = [[max(0.0, value - low)], [max(0.0, high - value)]]
        axes.errorbar(value, place, xerr=error, color=colour, marker=marker, capsize=3, linestyle="none", label=who)
        axes.annotate(
            texts[place], (max(value, high), place), xytext=(6, 0), textcoords="offset points", va="center", fontsize=9
        )
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.3, -0.6)
    widest = max(high for _, high in intervals)
    axes.set_xlim(-0.03 * widest, 1.6 * widest)  # a whole marker at 0, and room for the numbers
    axes.grid(visible=False, axis="y")
