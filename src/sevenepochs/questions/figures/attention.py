"""Attention as a heat map: to which earlier tokens each position of a title looks, for one head or several."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sevenepochs.questions.figures.style import draw, heading, note, token_label

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_COLUMNS = 4


def figure(tokens: Sequence[str], heads: dict[str, Sequence[Sequence[float]]], title: str = "Attention") -> str:
    """The SVG of attention weights.

    Args:
        tokens: the context, first to last.
        heads: by label, e.g. "layer 3, head 1": weights (T, T), row t over the positions that position t may look at;
            the rest is 0 and left blank.
    """
    labels = [token_label(token, 14) for token in tokens]
    columns = min(_COLUMNS, len(heads))
    rows = -(-len(heads) // columns)
    several = len(heads) > 1
    side = 2.1 if several else 5.2

    def build(figure: Figure) -> None:
        panels = figure.subplots(rows, columns, squeeze=False)
        image = None
        for panel in panels.flat[len(heads) :]:
            panel.set_axis_off()
        for index, (panel, (label, weights)) in enumerate(zip(panels.flat, heads.items(), strict=False)):
            weights_TT = np.asarray(weights, dtype=float)
            future = np.triu(np.ones_like(weights_TT, dtype=bool), 1)
            image = panel.imshow(np.ma.masked_where(future, weights_TT), vmin=0, vmax=1, cmap="cividis_r")
            panel.set_title(label, fontsize=9 if several else 11)
            panel.grid(visible=False)
            size = 6.5 if several else 9
            # names along every panel of a grid would be a wall of text: the outer ones carry them
            show_left, show_below = index % columns == 0, index >= len(heads) - columns
            ticks = range(len(labels))
            panel.set_yticks(ticks if show_left else [], labels if show_left else [], fontsize=size)
            panel.set_xticks(ticks if show_below else [], labels if show_below else [], fontsize=size, rotation=90)
        assert image is not None, "at least one head"
        figure.colorbar(image, ax=panels, label="attention weight", shrink=0.7)
        heading(figure, title)
        note(panels[0, 0], "row: the token that looks; column: the token looked at; a row adds up to 1; · is a space")

    return draw(
        build, 1.9 + side * rows, f"{title}: heat map of attention between {len(labels)} tokens", 1.8 + side * columns
    )
