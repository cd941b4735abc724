"""The collapse check: the mean prediction beside the frequencies, and how many bits set the predictions apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sevenepochs.metrics import format_metric
from sevenepochs.questions.figures.style import BLUE, FAINT, GREEN, ORANGE, VERMILLION, draw, note, percent, token_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure(data: Mapping[str, Any], name: str | None = None) -> str:
    """The SVG of analysis/collapse.json; `name`: the run's, for the title."""
    tokens = data["tokens"]

    def build(figure: Figure) -> None:
        axes, bits = figure.subplots(1, 2, width_ratios=(1.25, 1))
        places = range(len(tokens))
        axes.scatter(
            [100 * row["frequency"] for row in tokens], places, color=ORANGE, marker="s", s=26, label="in training"
        )
        axes.scatter(
            [100 * row["mean_probability"] for row in tokens], places, color=BLUE, s=26, label="mean prediction"
        )
        axes.hlines(
            places,
            [100 * min(row["frequency"], row["mean_probability"]) for row in tokens],
            [100 * max(row["frequency"], row["mean_probability"]) for row in tokens],
            color=FAINT,
            linewidth=0.8,
            zorder=1,
        )
        axes.set_yticks(places, [token_label(row["token"]) for row in tokens])
        axes.set_ylim(len(tokens) - 0.4, -0.6)
        axes.set_xlim(0, None)
        axes.set_xlabel("share of tokens (%)")
        axes.set_title("Mean prediction and frequency")
        axes.legend(loc="lower right")
        rows = [
            ("what the token\nbefore is worth", data["pair_gain_bits"], FAINT),
            ("information from\nthe context (I)", data["information_bits"], GREEN),
            ("gain over\nfrequencies", data["gain_bits"], BLUE),
            ("mean prediction\nto frequencies", data["mean_to_frequency_bits"], VERMILLION),
        ]
        bits.barh(range(len(rows)), [value for _, value, _ in rows], color=[c for *_, c in rows], height=0.6)
        for place, (_, value, _) in enumerate(rows):
            bits.annotate(
                format_metric("bits_per_token", value),
                (max(value, 0), place),
                xytext=(4, 0),
                textcoords="offset points",
                va="center",
                fontsize=9,
            )
        bits.axvline(0, color=FAINT, linewidth=0.8)
        values = [value for _, value, _ in rows]
        span = max(values) - min(0.0, *values)
        bits.set_xlim(min(0.0, *values) - 0.05 * span, max(values) + 0.2 * span)
        bits.set_yticks(range(len(rows)), [label for label, *_ in rows])
        bits.set_ylim(len(rows) - 0.4, -0.6)
        bits.grid(visible=False, axis="y")
        bits.set_xlabel("bits per token")
        bits.set_title("Does the context matter?")
        figure.suptitle((f"{name}: " if name else "") + data["sentence"], x=0.01, ha="left", fontsize=10)
        note(
            axes,
            f"most probable token is <eos> at {percent(data['top_is_eos_share'])} of {data['n_tokens']:,} positions; "
            f"{data['n_distinct_top']:,} different ones occur; · is a space",
        )

    return draw(build, 5.6, f"Collapse check: the model {data['sentence']}", width_in=8.4)
