"""The next token, and how sure the model is: at the story's two places of the validation text, after any other text,
and all along a title, also under two runs. `ask/next_token.py` predicts.

A place is (row, position of the last token read) in the first stock validation window.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from sevenepochs.metrics import format_metric
from sevenepochs.questions import terminal
from sevenepochs.questions.figures import style
from sevenepochs.questions.question import Case, Content, Question
from sevenepochs.store.run import layout, storage

STORY_PLACES = ((0, 10), (0, 80))


def compute(case: Case) -> dict[str, Any]:
    """Return `places`: the story's, as far as the validation stream reaches."""
    from sevenepochs.ask.next_token import at_place

    places = (place for place in STORY_PLACES if place[1] < len(case.ids_N) - 1)
    return {"places": [at_place(case.model, case.ids_N, row, position) for row, position in places]}


def published_place(folder: Path, row: int, position: int, k: int) -> dict[str, Any] | None:
    """Return the prediction at a place with its top k, or None where the folder, of a run or of a result, does not hold
    it. Raises UserError: the file is there and damaged."""
    for place in _places(folder):
        if (place["row"], place["position"]) == (row, position) and len(place["top"]) >= k:
            return {**place, "top": place["top"][:k]}
    return None


def published_places(folder: Path) -> list[tuple[int, int, int]]:
    """Return the places that a folder holds: (row, position, number of tokens in its top)."""
    return [(place["row"], place["position"], len(place["top"])) for place in _places(folder)]


def _places(folder: Path) -> list[dict[str, Any]]:
    file = folder / layout.ANALYSIS / "next_token.json"
    if not file.is_file():
        return []
    with storage.damage(file, "analyse or publish the run again"):
        places: list[dict[str, Any]] = json.loads(file.read_text(encoding="utf-8"))["places"]
        for place in places:
            place["row"], place["position"], place["top"][0]["probability"], place["truth"]["rank"], place["context"]
    return places


_CONTEXT_CHARS = 62


def figure(content: Content, run: str | None, part: str) -> str:
    """Return the SVG of one place, "0_10"."""
    return place_figure(_place(content, part), run)


def place_figure(place: Content, run: str | None = None) -> str:
    """Return the SVG of one prediction; `run`: its name, for the title.

    Args:
        place: `context`, `top` (rows of `token`, `probability`), and, where the text goes on, `truth` (`token`,
            `probability`, `rank`, `surprisal_bits`), as analysis/next_token.json has them; `row` and `position` for a
            place of the validation window.
    """
    top, truth = place["top"], place.get("truth")
    rows = [*top, truth] if truth and truth["id"] not in [row.get("id") for row in top] else top
    outside = len(rows) > len(top)
    labels = [style.token_label(row["token"]) for row in rows]
    if outside:
        labels[-1] += f" (rank {rows[-1]['rank']:,})"
    colours = [style.ORANGE if truth and row.get("id") == truth["id"] else style.BLUE for row in rows]
    context = " ".join(place["context"].split())
    context = context if len(context) <= _CONTEXT_CHARS else "…" + context[-_CONTEXT_CHARS + 1 :]

    def build(figure: style.Figure) -> None:
        axes = figure.subplots()
        probabilities = [row["probability"] for row in rows]
        style.bars(axes, labels, probabilities, list(map(style.percent, probabilities)), color=colours)
        where = f" at {place['row']},{place['position']}" if "row" in place else ""
        axes.set(title=f"Next token{where}" + (f": {run}" if run else ""), xlabel="probability")
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
        if truth:
            from matplotlib.patches import Patch

            kinds = {"predicted": style.BLUE, "what the title says": style.ORANGE}
            handles = [Patch(color=colour, label=name) for name, colour in kinds.items()]
            white = {"frameon": True, "facecolor": "white", "edgecolor": "none", "framealpha": 1.0}  # lines end at it
            axes.legend(handles=handles, loc="lower right", **white)
        if outside:
            axes.axhline(len(rows) - 1.5, color=style.FAINT, linewidth=0.8, linestyle=":")
        read = f"row {place['row']}, tokens 0 to {place['position']}: " if "row" in place else ""
        total = style.percent(sum(row["probability"] for row in top))
        held = f"these {len(top)} tokens hold {total} of the probability; · is a space"
        style.note(axes, f"after {read}{context}\n{held}")

    described = f"Bar chart of the most probable next tokens after {context!r}"
    return style.draw(build, 1.75 + style.ROW_IN * len(rows), described)


def text(content: Content, part: str) -> list[list[str]]:
    """Return rows of token and probability at a place; the truth is the last one."""
    place = _place(content, part)
    rows = [[repr(row["token"]), format_metric("probability", row["probability"])] for row in place["top"]]
    truth = place["truth"]
    said = f"truth {truth['token']!r}, rank {truth['rank']:,}"
    return [*rows, [said, format_metric("probability", truth["probability"])]]


def view(content: Content) -> terminal.View:
    """Return one line per place; `predict --at` shows all of it."""
    rows = (
        (
            f"{place['row']}, {place['position']}",
            "…" + terminal.plain(place["context"])[-24:],
            "  ".join(map(terminal.token_and_probability, place["top"][:4])),
            terminal.token_and_probability(place["truth"]),
            f"{place['truth']['rank']:,}",
        )
        for place in content["places"]
    )
    table = terminal.table(("row, token", "after", "expected", "truth", ">rank"), rows)
    return terminal.stack("Next tokens at two places of the validation text", table)


def place_view(place: Content) -> terminal.View:
    """Return the most probable tokens with bars (100 % fills the width), the truth's own row marked; below them
    what came next, where that is known."""
    from rich.console import Group
    from rich.text import Text

    truth = place.get("truth")
    rows: list[list[terminal.Cell]] = []
    for rank, row in enumerate(place["top"], start=1):
        style = "bold green" if truth and row["id"] == truth["id"] else ""
        probability, bar = format_metric("probability", row["probability"]), terminal.bar(row["probability"])
        rows.append([str(rank), (terminal.visible(row["token"]), style), probability, (bar, "cyan")])
    table = terminal.table(({"justify": "right", "style": "dim"}, "", ">", ""), rows, show_header=False)
    if not truth:
        return table
    probability = format_metric("probability", truth["probability"])
    bits = format_metric("surprisal_bits", truth["surprisal_bits"], unit=True)
    token = (terminal.visible(truth["token"]), "bold green")
    return Group(table, Text.assemble("truth ", token, f"  rank {truth['rank']:,}  {probability}  {bits}"))


def title_figure(found: Content) -> str:
    """Return the SVG of a title that was read: bits per token, first to last, with the rank of what was written."""
    rows = found["tokens"]
    texts = [f"{format_metric('surprisal_bits', row['surprisal_bits'])} (rank {row['rank']:,})" for row in rows]

    def build(figure: style.Figure) -> None:
        axes = figure.subplots()
        bits = [row["surprisal_bits"] for row in rows]
        style.bars(axes, [style.token_label(row["token"]) for row in rows], bits, texts, color=style.BLUE)
        axes.set(xlim=(0, 1.3 * max(bits)), title=f"Surprise along a title: {found['run']}")
        axes.set_xlabel("surprisal (bits), and rank of the token among all")
        bits_text = format_metric("surprisal_bits", found["surprisal_bits"], unit=True)
        loss = format_metric("title_loss", found["nats_per_char"], unit=True)
        style.note(axes, f"{bits_text} in all, {loss}; the title is read alone after <eos>; · is a space")

    described = f"Bar chart of the bits that each token of {found['text']!r} cost"
    return style.draw(build, 1.6 + style.ROW_IN * len(rows), described)


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
        axes.set(title="Where the second run gains on a title", xlabel="bits that run 2 needs less (left of 0: more)")
        costs = (format_metric("surprisal_bits", run["surprisal_bits"], unit=True) for run in found["runs"])
        lines = (f"{name}, {cost}" for name, cost in zip(_run_names(found), costs, strict=True))
        style.note(axes, "\n".join(lines) + "; · is a space")

    described = f"Bar chart of the bits gained on each part of {found['text']!r}"
    return style.draw(build, 1.8 + style.ROW_IN * len(rows), described)


def _run_names(found: Content) -> list[str]:
    return [f"run {number}: {run['run']}" for number, run in enumerate(found["runs"], start=1)]


def title_view(found: Content) -> terminal.View:
    """Return a row per token: surprisal with a bar, rank, and what was expected instead."""
    highest = max(row["surprisal_bits"] for row in found["tokens"]) or 1.0

    def cells(row: Content) -> list[terminal.Cell]:
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
    largest = max(abs(row["gained_bits"]) for row in found["segments"]) or 1.0

    def cells(row: Content) -> list[terminal.Cell]:
        bits = [format_metric("surprisal_bits", bits) for bits in row["bits"]]
        bar = terminal.bar(abs(row["gained_bits"]) / largest, 16)
        gained = format_metric("gained_bits", row["gained_bits"])
        return [terminal.visible(row["text"]), *bits, gained, (bar, "green" if row["gained_bits"] > 0 else "red")]

    first, second = (run["surprisal_bits"] for run in found["runs"])
    totals = {
        "run 1 bits": format_metric("surprisal_bits", first),
        "run 2 bits": format_metric("surprisal_bits", second),
        "run 2 gained": format_metric("gained_bits", first - second, unit=True),
    }
    numbers = ({"header": name, "justify": "right", "footer": total} for name, total in totals.items())
    columns: list[terminal.Column] = [{"header": "text", "footer": "in all"}, *numbers, ""]
    title = terminal.text("\n".join(_run_names(found)))
    return terminal.table(columns, map(cells, found["segments"]), show_footer=True, title=title, title_justify="left")


def _part(place: Content) -> str:
    return f"{place['row']}_{place['position']}"


def _place(content: Content, part: str) -> Content:
    found: Content = next(place for place in content["places"] if _part(place) == part)
    return found


NEXT_TOKEN = Question(
    "next_token",
    "the most probable next tokens at two places of the validation text",
    compute,
    view,
    figure,
    parts=lambda content: list(map(_part, content["places"])),
    text=text,
)
