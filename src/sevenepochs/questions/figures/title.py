"""One title: the bits that each of its tokens cost a run, or what a second run gained on each stretch of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sevenepochs.metrics import format_metric
from sevenepochs.questions.figures.style import BLUE, FAINT, ROW_IN, VERMILLION, bars, draw, note, token_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def surprisal(found: Mapping[str, Any]) -> str:
    """The SVG of `next_token.read`: bits a token, first to last, with the rank of what was written."""
    rows = found["tokens"]
    texts = [f"{format_metric('surprisal_bits', row['surprisal_bits'])} (rank {row['rank']:,})" for row in rows]

    def build(figure: Figure) -> None:
        axes = figure.subplots()
        bits = [row["surprisal_bits"] for row in rows]
        bars(axes, [token_label(row["token"]) for row in rows], bits, texts, color=BLUE)
        axes.set_xlim(0, 1.3 * max(bits))
        axes.set_title(f"Surprise along a title: {found['run']}")
        axes.set_xlabel("surprisal (bits), and rank of the token among all")
        bits_text = format_metric("surprisal_bits", found["surprisal_bits"], unit=True)
        loss = format_metric("title_loss", found["nats_per_char"], unit=True)
        note(axes, f"{bits_text} in all, {loss}; the title is read alone after <eos>; · is a space")

    return draw(build, 1.6 + ROW_IN * len(rows), f"Bar chart of the bits that each token of {found['text']!r} cost")


def two_runs(found: Mapping[str, Any]) -> str:
    """The SVG of `two_runs.on_one_title`: bits that the second run gained, to the right, or lost, to the left."""
    rows, (first, second) = found["segments"], found["runs"]

    def build(figure: Figure) -> None:
        axes = figure.subplots()
        gained = [row["gained_bits"] for row in rows]
        # the side says it too, for whoever cannot tell the colours apart
        colours = [BLUE if bits >= 0 else VERMILLION for bits in gained]
        axes.barh(range(len(rows)), gained, height=0.72, color=colours)
        for place, bits in enumerate(gained):
            axes.annotate(
                format_metric("gained_bits", bits),
                (bits, place),
                xytext=(4 if bits >= 0 else -4, 0),
                textcoords="offset points",
                va="center",
                ha="left" if bits >= 0 else "right",
                fontsize=9,
            )
        axes.axvline(0, color=FAINT, linewidth=0.8)
        axes.margins(x=0.18)
        axes.set_yticks(range(len(rows)), [token_label(row["text"]) for row in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        axes.grid(visible=False, axis="y")
        axes.set_title("Where the second run gains on a title")
        axes.set_xlabel("bits that run 2 needs less (left of 0: more)")
        lines = (
            f"run {number}: {run['run']}, {format_metric('surprisal_bits', run['surprisal_bits'], unit=True)}"
            for number, run in enumerate((first, second), start=1)
        )
        note(axes, "\n".join(lines) + "; · is a space")

    return draw(build, 1.8 + ROW_IN * len(rows), f"Bar chart of the bits gained on each part of {found['text']!r}")
