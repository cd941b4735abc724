"""What comes next, and how sure the model is: the story's two places of the validation text, and any other text.

A place is (row, position of the last token read) in the first stock validation window; `ask/next_token.py` predicts.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sevenepochs.metrics import format_metric
from sevenepochs.questions import terminal
from sevenepochs.questions.figures.style import (
    BLUE,
    FAINT,
    ORANGE,
    ROW_IN,
    SOLID,
    bars,
    draw,
    note,
    percent,
    token_label,
)
from sevenepochs.questions.question import Content, Question
from sevenepochs.store.run import layout, storage

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import RenderableType
    from rich.text import Text

    from sevenepochs.questions.case import Case

STORY_PLACES = ((0, 10), (0, 80))
_FILE = f"{layout.ANALYSIS}/next_token.json"


def compute(case: Case) -> dict[str, Any]:
    """The story's places, as far as the validation stream reaches, as `places`."""
    from sevenepochs.ask.next_token import at_place

    places = (place for place in STORY_PLACES if place[1] < len(case.ids_N) - 1)
    return {"places": [at_place(case.model, case.ids_N, row, position) for row, position in places]}


def published_place(folder: Path, row: int, position: int, k: int) -> dict[str, Any] | None:
    """The prediction at a place with its top k, or None where the folder does not hold it.

    Args:
        folder: of a run or of a result.

    Raises:
        UserError: the file is there and damaged.
    """
    for place in _places(folder):
        if (place["row"], place["position"]) == (row, position) and len(place["top"]) >= k:
            return {**place, "top": place["top"][:k]}
    return None


def published_places(folder: Path) -> list[tuple[int, int, int]]:
    """What the folder holds: (row, position, number of tokens in its top)."""
    return [(place["row"], place["position"], len(place["top"])) for place in _places(folder)]


def _places(folder: Path) -> list[dict[str, Any]]:
    file = folder / _FILE
    if not file.is_file():
        return []
    with storage.damage(file, "analyse or publish the run again"):
        places = json.loads(file.read_text(encoding="utf-8"))["places"]
        for place in places:
            place["row"], place["position"], place["top"][0]["probability"], place["truth"]["rank"], place["context"]
    return list(places)


_CONTEXT_CHARS = 62


def figure(content: Content, run: str | None, part: str) -> str:
    """The SVG of one place, "0_10"."""
    return place_figure(_place(content, part), run)


def place_figure(place: Content, run: str | None = None) -> str:
    """The SVG of one prediction.

    Args:
        place: `context`, `top` (rows of `token`, `probability`), and, where the text goes on, `truth` (`token`,
            `probability`, `rank`, `surprisal_bits`), as analysis/next_token.json has them; `row` and `position` for a
            place of the validation window.
        name: the run's, for the title.
    """
    rows = [(row["token"], row["probability"], row.get("id")) for row in place["top"]]
    truth = place.get("truth")
    ids = [id for _, _, id in rows]
    at = ids.index(truth["id"]) if truth and truth["id"] in ids else None
    colours = [BLUE] * len(rows)
    if truth and at is None:
        rows.append((truth["token"], truth["probability"], truth["id"]))
        colours.append(ORANGE)
    elif at is not None:
        colours[at] = ORANGE
    total = sum(row["probability"] for row in place["top"])

    def build(figure: Figure) -> None:
        axes = figure.subplots()
        labels = [token_label(token) for token, _, _ in rows]
        if truth and at is None:
            labels[-1] += f" (rank {truth['rank']:,})"
        bars(axes, labels, [p for _, p, _ in rows], [percent(p) for _, p, _ in rows], color=colours)
        where = f" at {place['row']},{place['position']}" if "row" in place else ""
        axes.set_title(f"Next token{where}" + (f": {run}" if run else ""))
        axes.set_xlabel("probability")
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
        if truth:
            from matplotlib.patches import Patch

            handles = [Patch(color=BLUE, label="predicted"), Patch(color=ORANGE, label="what the title says")]
            axes.legend(handles=handles, loc="lower right", **SOLID)
            if at is None:
                axes.axhline(len(rows) - 1.5, color=FAINT, linewidth=0.8, linestyle=":")
        read = f"row {place['row']}, tokens 0 to {place['position']}: " if "row" in place else ""
        note(axes, f"after {read}{_tail(place['context'])}\n{_sentence(total, len(place['top']))}")

    ask = f"after {_tail(place['context'])!r}"
    return draw(build, 1.75 + ROW_IN * len(rows), f"Bar chart of the most probable next tokens {ask}")


def _tail(context: str) -> str:
    context = " ".join(context.split())
    return context if len(context) <= _CONTEXT_CHARS else "…" + context[-_CONTEXT_CHARS + 1 :]


def _sentence(total: float, n_tokens: int) -> str:
    return f"these {n_tokens} tokens hold {percent(total)} of the probability; · is a space"


def text(content: Content, part: str) -> list[list[str]]:
    """Rows of token and probability at a place; the truth is the last one."""
    place = _place(content, part)
    rows = [(repr(row["token"]), row["probability"]) for row in place["top"]]
    truth = place["truth"]
    rows.append((f"truth {truth['token']!r}, rank {truth['rank']:,}", truth["probability"]))
    return [[name, format_metric("probability", probability)] for name, probability in rows]


def view(content: Content) -> RenderableType:
    """One line per place; `predict --at` shows all of it."""
    from rich.console import Group
    from rich.text import Text

    table = terminal.table("row, token", "after", "expected", "truth", ">rank")
    for place in content["places"]:
        truth = place["truth"]
        table.add_row(
            f"{place['row']}, {place['position']}",
            Text("…" + terminal.plain(place["context"])[-24:]),
            Text("  ".join(map(terminal.token_and_probability, place["top"][:4]))),
            Text(terminal.token_and_probability(truth)),
            f"{truth['rank']:,}",
        )
    return Group(terminal.heading("Next tokens at two places of the validation text"), table)


def place_view(place: Content) -> RenderableType:
    """The most probable tokens with bars (the longest fills the width), the truth's own row marked; below them what
    came next, where that is known."""
    from rich.console import Group
    from rich.text import Text

    table = terminal.table(show_header=False)
    table.add_column(justify="right", style="dim")
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    truth = place.get("truth")
    highest = max(row["probability"] for row in place["top"])
    for rank, row in enumerate(place["top"], start=1):
        table.add_row(
            str(rank),
            Text(terminal.visible(row["token"]), style="bold green" if truth and row["id"] == truth["id"] else ""),
            format_metric("probability", row["probability"]),
            Text(terminal.bar(row["probability"] / highest if highest else 0.0), style="cyan"),
        )
    return Group(table, _truth_line(truth)) if truth else table


def _truth_line(truth: Mapping[str, Any]) -> Text:
    from rich.text import Text

    return Text.assemble(
        "truth ",
        (terminal.visible(truth["token"]), "bold green"),
        f"  rank {truth['rank']:,}  {format_metric('probability', truth['probability'])}"
        f"  {format_metric('surprisal_bits', truth['surprisal_bits'], unit=True)}",
    )


def _part(place: Mapping[str, Any]) -> str:
    return f"{place['row']}_{place['position']}"


def _place(content: Content, part: str) -> Content:
    return next(place for place in content["places"] if _part(place) == part)


NEXT_TOKEN = Question(
    "next_token",
    "the most probable next tokens at two places of the validation text",
    compute,
    view,
    figure,
    parts=lambda content: [_part(place) for place in content["places"]],
    text=text,
)
