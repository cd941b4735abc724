"""Where each head looks while the model reads a text: weights from `ask/attention_maps.py`, drawn and printed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from sevenepochs.metrics import format_metric
from sevenepochs.questions import terminal
from sevenepochs.questions.figures.style import draw, heading, note, token_label
from sevenepochs.questions.question import Content

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import RenderableType

_SHADES = " ░▒▓█"
_COLUMNS = 4


def figure(found: Content, shown: Sequence[tuple[int, int]]) -> str:
    """The SVG of `attention_maps`. `shown`: the (layer, head) pairs to draw, from 1."""
    heads = {f"layer {layer}, head {head}": found["weights"][layer - 1][head - 1] for layer, head in shown}
    return heads_figure(found["tokens"], heads, f"Attention: {found['run']}")


def heads_figure(tokens: Sequence[str], heads: dict[str, Sequence[Sequence[float]]], title: str = "Attention") -> str:
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


def view(found: Content) -> RenderableType:
    """One row per head: how much it looks at the token before, at the first one and at itself, and how far back."""
    from rich.text import Text

    even = found["even"]
    caption = "--layer N --head N shows one head's map"
    if even["share"] is not None:
        share = format_metric("share", even["share"])
        caption = f"a head that looks everywhere alike: {share} each, {even['mean_distance']:.1f} back; {caption}"
    columns = (">layer", ">head", ">previous", ">first", ">itself", ">tokens back", "")
    table = terminal.table(*columns, caption=caption, caption_justify="left")
    for row in found["heads"]:
        back = row["mean_distance"]
        table.add_row(
            str(row["layer"]),
            str(row["head"]),
            *(format_metric("share", row[name]) for name in ("previous_share", "first_share", "self_share")),
            "-" if back is None else f"{back:.1f}",
            Text("" if back is None else terminal.bar(back / len(found["tokens"]), 16), style="cyan"),
        )
    return table


def map_view(found: Content, layer: int, head: int) -> RenderableType:
    """One head's weights, a row per query: darker is more; then where it looks most."""
    from rich.text import Text

    weights = found["weights"][layer - 1][head - 1]
    columns = ("reading", "weight on each token from <eos> on", "looks most at")
    table = terminal.table(*columns, title=f"layer {layer}, head {head}", title_justify="left")
    for query, row in enumerate(weights):
        cells = "".join(_shade(weight) * 2 for weight in row[: query + 1])
        most = sorted(range(query + 1), key=lambda key: (-row[key], key))[:3]
        looks = ", ".join(
            f"{terminal.visible(found['tokens'][key])} {format_metric('share', row[key])}" for key in most
        )
        table.add_row(Text(terminal.visible(found["tokens"][query])), Text(cells, style="cyan"), Text(looks))
    return table


def _shade(weight: float) -> str:
    return _SHADES[min(len(_SHADES) - 1, round(weight * (len(_SHADES) - 1) + 0.25))]
