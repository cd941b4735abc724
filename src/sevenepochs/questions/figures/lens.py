"""The logit lens: what each layer would answer after each token, shaded by what it gives the token that comes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from sevenepochs.questions.figures.style import INK, draw, heading, note, token_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure(found: Mapping[str, Any]) -> str:
    """The SVG of `logit_lens`: a row a token, a column a layer."""
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
