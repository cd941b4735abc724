"""The logit lens on one text: answers of each layer from `ask/logit_lens.py`, drawn and printed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sevenepochs.questions import terminal
from sevenepochs.questions.figures.style import INK, draw, heading, note, token_label
from sevenepochs.questions.question import Content

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import RenderableType

_CELL = 12  # characters of a token in a table of all layers


def figure(found: Content) -> str:
    """The SVG of `logit_lens`: a row per token, a column per layer."""
    layers, tokens = found["layers"], found["tokens"]
    # the last token has nothing after it that could be right
    shade = [[p.get("truth", {}).get("probability", np.nan) for p in layer["positions"]] for layer in layers]

    def build(figure: Figure) -> None:
        axes = figure.subplots()
        image = axes.imshow(np.ma.masked_invalid(np.array(shade).T), vmin=0, vmax=1, cmap="cividis_r", aspect="auto")
        for column, layer in enumerate(layers):
            for row, position in enumerate(layer["positions"]):
                dark = shade[column][row] > 0.5
                answer = token_label(position["top"][0]["token"], 12)
                axes.text(column, row, answer, ha="center", va="center", fontsize=8, color="white" if dark else INK)
        axes.set_xticks(range(len(layers)), [layer["name"] for layer in layers])
        axes.set_yticks(range(len(tokens)), [token_label(token) for token in tokens])
        axes.grid(visible=False)
        axes.set_ylabel("after")
        text = f"What each layer would answer: {found['run']}"
        heading(figure, text)
        figure.colorbar(image, ax=axes, label="probability of the token that comes")
        note(
            axes, "written: the layer's likeliest next token; early layers were never trained to be read; · is a space"
        )

    return draw(build, 1.9 + 0.3 * len(tokens), f"Logit lens over {found['text']!r}", 2.4 + 0.95 * len(layers))


def view(found: Content) -> RenderableType:
    """A row per token read, a column per layer: what it would answer; bold where that is the token that comes."""
    from rich.text import Text

    table = terminal.table("after")
    for layer in found["layers"]:
        table.add_column(layer["name"], overflow="ellipsis", max_width=_CELL, no_wrap=True)
    table.add_column("comes", style="dim")
    for place, token in enumerate(found["tokens"]):
        answers = []
        for layer in found["layers"]:
            position = layer["positions"][place]
            first = position["top"][0]
            right = position.get("truth", {}).get("rank") == 1
            answers.append(Text(terminal.visible(first["token"]), style="bold green" if right else ""))
        comes = found["tokens"][place + 1] if place + 1 < len(found["tokens"]) else ""
        table.add_row(Text(terminal.visible(token)), *answers, Text(terminal.visible(comes)))
    return table
