"""Nearest tokens of the embedding, by cosine: from `ask/neighbours.py`, drawn and printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sevenepochs.metrics import format_metric
from sevenepochs.questions import terminal
from sevenepochs.questions.figures.style import BLUE, ROW_IN, bars, draw, note, token_label
from sevenepochs.questions.question import Content

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import RenderableType
    from rich.text import Text


def figure(found: Content) -> str:
    """The SVG of `inside --view neighbours`."""
    tokens = found["tokens"]
    most = max(len(row["neighbours"]) for row in tokens)

    def build(figure: Figure) -> None:
        panels = figure.subplots(len(tokens), 1, squeeze=False, sharex=True)[:, 0]
        for axes, row in zip(panels, tokens, strict=True):
            others = row["neighbours"]
            cosines = [other["cosine"] for other in others]
            texts = [format_metric("cosine", cosine) for cosine in cosines]
            bars(axes, [token_label(other["token"]) for other in others], cosines, texts, color=BLUE)
            axes.set_xlim(min(0.0, *cosines), 1.12)
            axes.set_title(f"Nearest to {token_label(row['token'])}: {found['run']}")
        panels[-1].set_xlabel("cosine in the input embedding")
        note(panels[-1], "tokens that training hardly showed still lie where they were drawn; · is a space")

    shown = ", ".join(token_label(row["token"]) for row in tokens)
    return draw(build, 1.0 + (0.8 + ROW_IN * most) * len(tokens), f"Bar chart of the tokens nearest to {shown}")


def view(found: Content) -> RenderableType:
    """One column per token: the nearest others with their cosines."""
    from rich.text import Text

    table = terminal.table()
    for row in found["tokens"]:
        table.add_column(Text(terminal.visible(row["token"]), style="bold"), no_wrap=True)
        table.add_column("", justify="right", style="dim")
    for place in range(max((len(row["neighbours"]) for row in found["tokens"]), default=0)):
        cells: list[Text] = []
        for row in found["tokens"]:
            other = row["neighbours"][place]
            cells += [Text(terminal.visible(other["token"])), Text(format_metric("cosine", other["cosine"]))]
        table.add_row(*cells)
    return table
