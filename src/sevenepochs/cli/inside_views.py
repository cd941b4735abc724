"""What `inside` shows in the terminal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from sevenepochs.cli.tokens import bar, surprise_style, visible
from sevenepochs.metrics import format_metric

_SHADES = " ░▒▓█"
_LENS_CELL = 12  # characters of a token in a table of all layers
_MOST_TOKEN_COLUMNS = 12


def attention(found: dict[str, Any]) -> RenderableType:
    """One row a head: how much it looks at the token before, at the first one and at itself, and how far back."""
    even = found["even"]
    caption = "--layer N --head N shows one head's map"
    if even["share"] is not None:
        share = format_metric("share", even["share"])
        caption = f"a head that looks everywhere alike: {share} each, {even['mean_distance']:.1f} back; {caption}"
    table = Table(box=None, pad_edge=False, caption=caption, caption_justify="left")
    for column in ("layer", "head", "previous", "first", "itself", "tokens back"):
        table.add_column(column, justify="right")
    table.add_column("")
    for row in found["heads"]:
        back = row["mean_distance"]
        table.add_row(
            str(row["layer"]),
            str(row["head"]),
            *(format_metric("share", row[name]) for name in ("previous_share", "first_share", "self_share")),
            "-" if back is None else f"{back:.1f}",
            Text("" if back is None else bar(back / len(found["tokens"]), 16), style="cyan"),
        )
    return table


def attention_map(found: dict[str, Any], layer: int, head: int) -> RenderableType:
    """One head's weights, a row a query: darker is more; then where it looks most."""
    weights = found["weights"][layer - 1][head - 1]
    table = Table(box=None, pad_edge=False, title=f"layer {layer}, head {head}", title_justify="left")
    table.add_column("reading")
    table.add_column("weight on each token from <eos> on")
    table.add_column("looks most at")
    for query, row in enumerate(weights):
        cells = "".join(_shade(weight) * 2 for weight in row[: query + 1])
        most = sorted(range(query + 1), key=lambda key: (-row[key], key))[:3]
        looks = ", ".join(f"{visible(found['tokens'][key])} {format_metric('share', row[key])}" for key in most)
        table.add_row(Text(visible(found["tokens"][query])), Text(cells, style="cyan"), Text(looks))
    return table


def lens(found: dict[str, Any]) -> RenderableType:
    """A row a token read, a column a layer: what it would answer; bold where that is the token that comes."""
    table = Table(box=None, pad_edge=False)
    table.add_column("after")
    for layer in found["layers"]:
        table.add_column(layer["name"], overflow="ellipsis", max_width=_LENS_CELL, no_wrap=True)
    table.add_column("comes", style="dim")
    for place, token in enumerate(found["tokens"]):
        answers = []
        for layer in found["layers"]:
            position = layer["positions"][place]
            first = position["top"][0]
            right = position.get("truth", {}).get("rank") == 1
            answers.append(Text(visible(first["token"]), style="bold green" if right else ""))
        comes = found["tokens"][place + 1] if place + 1 < len(found["tokens"]) else ""
        table.add_row(Text(visible(token)), *answers, Text(visible(comes)))
    return table


def neighbours(found: dict[str, Any]) -> RenderableType:
    """One column a token: the nearest others with their cosines."""
    table = Table(box=None, pad_edge=False)
    for row in found["tokens"]:
        table.add_column(Text(visible(row["token"]), style="bold"), no_wrap=True)
        table.add_column("", justify="right", style="dim")
    for place in range(max((len(row["neighbours"]) for row in found["tokens"]), default=0)):
        cells: list[Text] = []
        for row in found["tokens"]:
            other = row["neighbours"][place]
            cells += [Text(visible(other["token"])), Text(format_metric("cosine", other["cosine"]))]
        table.add_row(*cells)
    return table


def time(found: dict[str, Any]) -> RenderableType:
    """One row a snapshot: the title's bits and, where they fit, each token's, coloured by surprise; else a bar."""
    tokens = found["tokens"] if len(found["tokens"]) <= _MOST_TOKEN_COLUMNS else []
    table = Table(box=None, pad_edge=False)
    for column in ("step", "bits", "nats/char", *([] if tokens else [""])):
        table.add_column(column, justify="right" if column else "left", no_wrap=True)
    for token in tokens:
        table.add_column(Text(visible(token)), justify="right", no_wrap=True)
    highest = max(row["surprisal_bits"] for row in found["steps"])
    for row in found["steps"]:
        if tokens:
            each = [
                Text(format_metric("surprisal_bits", bits), style=surprise_style(bits)) for bits in row["tokens_bits"]
            ]
        else:
            each = [Text(bar(row["surprisal_bits"] / highest if highest > 0 else 0.0), style="cyan")]
        table.add_row(
            f"{row['step']:,}",
            format_metric("surprisal_bits", row["surprisal_bits"]),
            format_metric("title_loss", row["nats_per_char"]),
            *each,
        )
    return table


VIEWS: dict[str, Callable[[dict[str, Any]], RenderableType]] = {
    "attention": attention,
    "lens": lens,
    "neighbours": neighbours,
    "time": time,
}


def _shade(weight: float) -> str:
    return _SHADES[min(len(_SHADES) - 1, round(weight * (len(_SHADES) - 1) + 0.25))]
