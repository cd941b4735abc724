"""Views of `inside`, of a model that reads a text: attention, the logit lens, nearest tokens, and a title at each
snapshot. The answers come from `ask/inside.py`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sevenepochs.metrics import format_metric
from sevenepochs.questions import terminal
from sevenepochs.questions.figures import curves
from sevenepochs.questions.figures.style import BLUE, INK, ROW_IN, Figure, bars, draw, heading, note, token_label
from sevenepochs.questions.question import Content

_SHADES = " ░▒▓█"
_PANEL_COLUMNS = 4


def attention_figure(found: Content, shown: Sequence[tuple[int, int]]) -> str:
    """Return the SVG of `attention_maps`. `shown`: the (layer, head) pairs to draw, from 1."""
    title = f"Attention: {found['run']}"
    labels = [token_label(token, 14) for token in found["tokens"]]
    columns = min(_PANEL_COLUMNS, len(shown))
    rows = -(-len(shown) // columns)
    side, name_size, title_size = (2.1, 6.5, 9) if len(shown) > 1 else (5.2, 9, 11)

    def build(figure: Figure) -> None:
        panels = figure.subplots(rows, columns, squeeze=False)
        for panel in panels.flat[len(shown) :]:
            panel.set_axis_off()
        for index, (panel, (layer, head)) in enumerate(zip(panels.flat, shown, strict=False)):
            weights_TT = np.asarray(found["weights"][layer - 1][head - 1], dtype=float)
            future = np.triu(np.ones_like(weights_TT, dtype=bool), 1)
            image = panel.imshow(np.ma.masked_where(future, weights_TT), vmin=0, vmax=1, cmap="cividis_r")
            panel.set_title(f"layer {layer}, head {head}", fontsize=title_size)
            panel.grid(visible=False)
            # names along every panel of a grid would be a wall of text: the outer panels carry them
            left = labels if index % columns == 0 else []
            below = labels if index >= len(shown) - columns else []
            panel.set_yticks(range(len(left)), left, fontsize=name_size)
            panel.set_xticks(range(len(below)), below, fontsize=name_size, rotation=90)
        figure.colorbar(image, ax=panels, label="attention weight", shrink=0.7)
        heading(figure, title)
        note(panels[0, 0], "row: the token that looks; column: the token looked at; a row adds up to 1; · is a space")

    described = f"{title}: heat map of attention between {len(labels)} tokens"
    return draw(build, 1.9 + side * rows, described, 1.8 + side * columns)


def attention_view(found: Content) -> terminal.View:
    """Return a row per head: how much it looks at the token before, the first one and itself, and how far back."""
    even = found["even"]
    caption = "--layer N --head N shows one head's map"
    if even["share"] is not None:
        share = format_metric("share", even["share"])
        caption = f"a head that looks everywhere alike: {share} each, {even['mean_distance']:.1f} back; {caption}"

    def cells(row: Content) -> list[terminal.Cell]:
        back = row["mean_distance"]
        shares = (format_metric("share", row[name]) for name in ("previous_share", "first_share", "self_share"))
        bar = "" if back is None else terminal.bar(back / len(found["tokens"]), 16)
        return [str(row["layer"]), str(row["head"]), *shares, "-" if back is None else f"{back:.1f}", (bar, "cyan")]

    columns = (">layer", ">head", ">previous", ">first", ">itself", ">tokens back", "")
    return terminal.table(columns, map(cells, found["heads"]), caption=caption, caption_justify="left")


def map_view(found: Content, layer: int, head: int) -> terminal.View:
    """Return one head's weights, a row per query: darker is more; then the keys that it looks at most."""
    tokens = [terminal.visible(token) for token in found["tokens"]]
    rows: list[list[terminal.Cell]] = []
    for query, all_weights in enumerate(found["weights"][layer - 1][head - 1]):
        weights = all_weights[: query + 1]
        shades = "".join(_SHADES[min(len(_SHADES) - 1, round(4 * weight + 0.25))] * 2 for weight in weights)
        most = sorted(range(query + 1), key=lambda key: -weights[key])[:3]
        looks = ", ".join(f"{tokens[key]} {format_metric('share', weights[key])}" for key in most)
        rows.append([tokens[query], (shades, "cyan"), looks])
    columns = ("reading", "weight on each token from <eos> on", "looks most at")
    return terminal.table(columns, rows, title=f"layer {layer}, head {head}", title_justify="left")


def lens_figure(found: Content) -> str:
    """Return the SVG of `logit_lens`: a row per token, a column per layer."""
    layers, tokens = found["layers"], found["tokens"]
    # the last token has nothing after it that could be right
    shade = [[p.get("truth", {}).get("probability", np.nan) for p in layer["positions"]] for layer in layers]

    def build(figure: Figure) -> None:
        axes = figure.subplots()
        image = axes.imshow(np.ma.masked_invalid(np.array(shade).T), vmin=0, vmax=1, cmap="cividis_r", aspect="auto")
        for column, layer in enumerate(layers):
            for row, position in enumerate(layer["positions"]):
                colour = "white" if shade[column][row] > 0.5 else INK
                answer = token_label(position["top"][0]["token"], 12)
                axes.text(column, row, answer, ha="center", va="center", fontsize=8, color=colour)
        axes.set_xticks(range(len(layers)), [layer["name"] for layer in layers])
        axes.set_yticks(range(len(tokens)), [token_label(token) for token in tokens])
        axes.grid(visible=False)
        axes.set_ylabel("after")
        heading(figure, f"What each layer would answer: {found['run']}")
        figure.colorbar(image, ax=axes, label="probability of the token that comes")
        written = "the layer's likeliest next token; early layers were never trained to be read; · is a space"
        note(axes, f"written: {written}")

    return draw(build, 1.9 + 0.3 * len(tokens), f"Logit lens over {found['text']!r}", 2.4 + 0.95 * len(layers))


def lens_view(found: Content) -> terminal.View:
    """Return a row per token read, a column per layer: its answer, bold where that is the token that comes."""
    tokens = [terminal.visible(token) for token in found["tokens"]]

    def answer(position: Mapping[str, Any]) -> terminal.Cell:
        right = position.get("truth", {}).get("rank") == 1
        return terminal.visible(position["top"][0]["token"]), "bold green" if right else ""

    answers = zip(*(map(answer, layer["positions"]) for layer in found["layers"]), strict=True)
    narrow = {"overflow": "ellipsis", "max_width": 12, "no_wrap": True}
    of_layers = ({"header": layer["name"], **narrow} for layer in found["layers"])
    columns: list[terminal.Column] = ["after", *of_layers, {"header": "comes", "style": "dim"}]
    rows = ([now, *of_token, comes] for now, of_token, comes in zip(tokens, answers, [*tokens[1:], ""], strict=True))
    return terminal.table(columns, rows)


def neighbours_figure(found: Content) -> str:
    """Return the SVG of `inside --view neighbours`."""
    tokens = found["tokens"]
    most = max(len(row["neighbours"]) for row in tokens)

    def build(figure: Figure) -> None:
        panels = figure.subplots(len(tokens), 1, squeeze=False, sharex=True)[:, 0]
        for axes, row in zip(panels, tokens, strict=True):
            others = row["neighbours"]
            cosines = [other["cosine"] for other in others]
            texts = [format_metric("cosine", cosine) for cosine in cosines]
            bars(axes, [token_label(other["token"]) for other in others], cosines, texts, color=BLUE)
            axes.set(xlim=(min(0.0, *cosines), 1.12), title=f"Nearest to {token_label(row['token'])}: {found['run']}")
        panels[-1].set_xlabel("cosine in the input embedding")
        note(panels[-1], "tokens that training hardly showed still lie where they were drawn; · is a space")

    shown = ", ".join(token_label(row["token"]) for row in tokens)
    return draw(build, 1.0 + (0.8 + ROW_IN * most) * len(tokens), f"Bar chart of the tokens nearest to {shown}")


def neighbours_view(found: Content) -> terminal.View:
    """Return one column per token: the nearest others with their cosines."""
    columns: list[terminal.Column] = []
    cells: list[list[str]] = []  # by column
    for row in found["tokens"]:
        columns.append({"header": (terminal.visible(row["token"]), "bold"), "no_wrap": True})
        columns.append({"justify": "right", "style": "dim"})
        cells.append([terminal.visible(other["token"]) for other in row["neighbours"]])
        cells.append([format_metric("cosine", other["cosine"]) for other in row["neighbours"]])
    return terminal.table(columns, zip(*cells, strict=True))


def time_figure(found: Content) -> str:
    """Return the SVG of `through_time`: the title's loss over the steps."""
    rows = [{"step": row["step"], "title_loss": row["nats_per_char"]} for row in found["steps"]]
    title = f"One title through time: {token_label(found['text'], 44)}"
    return curves.figure({found["run"]: rows}, "title_loss", title)


def time_view(found: Content) -> terminal.View:
    """Return a row per snapshot: the title's bits and, where they fit, each token's by surprise; else a bar."""
    tokens = found["tokens"] if len(found["tokens"]) <= 12 else []
    highest = max(row["surprisal_bits"] for row in found["steps"]) or 1.0

    def cells(row: Content) -> list[terminal.Cell]:
        bits = format_metric("surprisal_bits", row["surprisal_bits"])
        each = [(format_metric("surprisal_bits", b), terminal.surprise_style(b)) for b in row["tokens_bits"]]
        bar = [(terminal.bar(row["surprisal_bits"] / highest), "cyan")]
        return [f"{row['step']:,}", bits, format_metric("title_loss", row["nats_per_char"]), *(each if tokens else bar)]

    headers = ("step", "bits", "nats/char", *map(terminal.visible, tokens))
    columns: list[terminal.Column] = [{"header": name, "justify": "right", "no_wrap": True} for name in headers]
    return terminal.table(columns if tokens else [*columns, ""], map(cells, found["steps"]))
