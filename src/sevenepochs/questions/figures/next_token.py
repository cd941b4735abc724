"""The story's chart: the most probable next tokens at a place, and where the truth is among them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CONTEXT_CHARS = 62


def figure(place: Mapping[str, Any], name: str | None = None) -> str:
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
        axes.set_title(f"Next token{where}" + (f": {name}" if name else ""))
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
