"""One title: the bits that each token cost a run, and what a second run gained. Answers come from `read` and
`on_one_title` of `ask/next_token.py`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sevenepochs.metrics import format_metric
from sevenepochs.questions import terminal
from sevenepochs.questions.figures import style
from sevenepochs.questions.question import Content


def figure(found: Content) -> str:
    """Return the SVG of a title that was read: bits per token, first to last, with the rank of what was written."""
    rows = found["tokens"]
    texts = [f"{format_metric('surprisal_bits', row['surprisal_bits'])} (rank {row['rank']:,})" for row in rows]

    def build(figure: style.Figure) -> None:
        axes = figure.subplots()
        bits = [row["surprisal_bits"] for row in rows]
        style.bars(axes, [style.token_label(row["token"]) for row in rows], bits, texts, color=style.BLUE)
        axes.set_xlim(0, 1.3 * max(bits))
        axes.set_title(f"Surprise along a title: {found['run']}")
        axes.set_xlabel("surprisal (bits), and rank of the token among all")
        bits_text = format_metric("surprisal_bits", found["surprisal_bits"], unit=True)
        loss = format_metric("title_loss", found["nats_per_char"], unit=True)
        style.note(axes, f"{bits_text} in all, {loss}; the title is read alone after <eos>; · is a space")

    return style.draw(
        build, 1.6 + style.ROW_IN * len(rows), f"Bar chart of the bits that each token of {found['text']!r} cost"
    )


def two_runs_figure(found: Content) -> str:
    """Return the SVG of a title under two runs: bits that the second gained, to the right, or lost, to the left."""
    rows = found["segments"]

    def build(figure: style.Figure) -> None:
        axes = figure.subplots()
        gained = [row["gained_bits"] for row in rows]
        # the side says it as well, for readers who cannot tell the colours apart
        colours = [style.BLUE if bits >= 0 else style.VERMILLION for bits in gained]
        axes.barh(range(len(rows)), gained, height=0.72, color=colours)
        for place, bits in enumerate(gained):
            right, ha = (4, "left") if bits >= 0 else (-4, "right")
            style.label(axes, format_metric("gained_bits", bits), (bits, place), right, ha=ha)
        axes.axvline(0, color=style.FAINT, linewidth=0.8)
        axes.margins(x=0.18)
        style.name_rows(axes, [style.token_label(row["text"]) for row in rows])
        axes.set_title("Where the second run gains on a title")
        axes.set_xlabel("bits that run 2 needs less (left of 0: more)")
        lines = (
            f"run {number}: {run['run']}, {format_metric('surprisal_bits', run['surprisal_bits'], unit=True)}"
            for number, run in enumerate(found["runs"], start=1)
        )
        style.note(axes, "\n".join(lines) + "; · is a space")

    return style.draw(
        build, 1.8 + style.ROW_IN * len(rows), f"Bar chart of the bits gained on each part of {found['text']!r}"
    )


def view(found: Content) -> terminal.View:
    """Return a row per token: surprisal with a bar, rank, and what was expected instead."""
    highest = max(row["surprisal_bits"] for row in found["tokens"]) or 1.0

    def cells(row: Mapping[str, Any]) -> list[terminal.Cell]:
        colour = terminal.surprise_style(row["surprisal_bits"])
        return [
            (terminal.visible(row["token"]), colour),
            format_metric("surprisal_bits", row["surprisal_bits"]),
            (terminal.bar(row["surprisal_bits"] / highest, 16), colour),
            f"{row['rank']:,}",
            format_metric("probability", row["probability"]),
            ("" if row["rank"] == 1 else terminal.token_and_probability(row["top"][0]), "dim"),
        ]

    return terminal.table(("token", ">bits", "", ">rank", ">probability", "expected"), map(cells, found["tokens"]))


def two_runs_view(found: Content) -> terminal.View:
    """Return a row per stretch of text, the bits of both runs, and what the second one gained; then the totals."""
    first, second = found["runs"]
    largest = max(abs(row["gained_bits"]) for row in found["segments"]) or 1.0

    def number(name: str, footer: str) -> terminal.Column:
        return {"header": name, "justify": "right", "footer": footer}

    def cells(row: Mapping[str, Any]) -> list[terminal.Cell]:
        bits = [format_metric("surprisal_bits", bits) for bits in row["bits"]]
        bar = terminal.bar(abs(row["gained_bits"]) / largest, 16)
        gained = format_metric("gained_bits", row["gained_bits"])
        return [terminal.visible(row["text"]), *bits, gained, (bar, "green" if row["gained_bits"] > 0 else "red")]

    gained = first["surprisal_bits"] - second["surprisal_bits"]
    columns: list[terminal.Column] = [
        {"header": "text", "footer": "in all"},
        number("run 1 bits", format_metric("surprisal_bits", first["surprisal_bits"])),
        number("run 2 bits", format_metric("surprisal_bits", second["surprisal_bits"])),
        number("run 2 gained", format_metric("gained_bits", gained, unit=True)),
        "",
    ]
    names = terminal.text(f"run 1: {first['run']}\nrun 2: {second['run']}")
    rows = map(cells, found["segments"])
    return terminal.table(columns, rows, show_footer=True, title=names, title_justify="left")
