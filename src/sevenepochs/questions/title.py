"""One title: the bits that each token cost a run, at the end or at every snapshot, and what a second run gained.

Answers come from `ask/next_token.py` (read), `ask/through_time.py` and `ask/two_runs.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sevenepochs.metrics import format_metric
from sevenepochs.questions import terminal
from sevenepochs.questions.figures import curves
from sevenepochs.questions.figures.style import BLUE, FAINT, ROW_IN, VERMILLION, bars, draw, note, token_label
from sevenepochs.questions.question import Content

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import RenderableType

_MOST_TOKEN_COLUMNS = 12


def figure(found: Content) -> str:
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


def two_runs_figure(found: Content) -> str:
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


def time_figure(found: Content) -> str:
    """The SVG of `through_time`: the title's loss over the steps."""
    rows = [{"step": row["step"], "title_loss": row["nats_per_char"]} for row in found["steps"]]
    heading = f"One title through time: {token_label(found['text'], 44)}"
    return curves.figure({found["run"]: rows}, "title_loss", heading)


def view(found: Content) -> RenderableType:
    """A row per token: surprisal with a bar, rank, and what was expected instead."""
    from rich.text import Text

    table = terminal.table("token", ">bits", "", ">rank", ">probability", "expected")
    highest = max(row["surprisal_bits"] for row in found["tokens"])
    for row in found["tokens"]:
        style = terminal.surprise_style(row["surprisal_bits"])
        expected = "" if row["rank"] == 1 else terminal.token_and_probability(row["top"][0])
        table.add_row(
            Text(terminal.visible(row["token"]), style=style),
            format_metric("surprisal_bits", row["surprisal_bits"]),
            Text(terminal.bar(row["surprisal_bits"] / highest if highest > 0 else 0.0, 16), style=style),
            f"{row['rank']:,}",
            format_metric("probability", row["probability"]),
            Text(expected, style="dim"),
        )
    return table


def two_runs_view(found: Content) -> RenderableType:
    """A row per stretch of text, the bits of both runs, and what the second one gained; then the totals."""
    from rich.text import Text

    first, second = found["runs"]
    names = f"run 1: {first['run']}\nrun 2: {second['run']}"
    table = terminal.table(show_footer=True, title=Text(names), title_justify="left")
    gained = first["surprisal_bits"] - second["surprisal_bits"]
    largest = max(abs(row["gained_bits"]) for row in found["segments"]) or 1.0
    table.add_column("text", footer="in all")
    for number, run in enumerate((first, second), start=1):
        bits = format_metric("surprisal_bits", run["surprisal_bits"])
        table.add_column(f"run {number} bits", justify="right", footer=bits)
    table.add_column("run 2 gained", justify="right", footer=format_metric("gained_bits", gained, unit=True))
    table.add_column("")
    for row in found["segments"]:
        style = "green" if row["gained_bits"] > 0 else "red"
        table.add_row(
            Text(terminal.visible(row["text"])),
            *(format_metric("surprisal_bits", bits) for bits in row["bits"]),
            format_metric("gained_bits", row["gained_bits"]),
            Text(terminal.bar(abs(row["gained_bits"]) / largest, 16), style=style),
        )
    return table


def time_view(found: Content) -> RenderableType:
    """One row per snapshot: the title's bits and, where they fit, each token's, coloured by surprise; else a bar."""
    from rich.text import Text

    tokens = found["tokens"] if len(found["tokens"]) <= _MOST_TOKEN_COLUMNS else []
    table = terminal.table()
    for column in ("step", "bits", "nats/char", *([] if tokens else [""])):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    for token in tokens:
        table.add_column(Text(terminal.visible(token)), justify="right", no_wrap=True)
    highest = max(row["surprisal_bits"] for row in found["steps"])
    for row in found["steps"]:
        if tokens:
            each = [
                Text(format_metric("surprisal_bits", bits), style=terminal.surprise_style(bits))
                for bits in row["tokens_bits"]
            ]
        else:
            each = [Text(terminal.bar(row["surprisal_bits"] / highest if highest > 0 else 0.0), style="cyan")]
        table.add_row(
            f"{row['step']:,}",
            format_metric("surprisal_bits", row["surprisal_bits"]),
            format_metric("title_loss", row["nats_per_char"]),
            *each,
        )
    return table
