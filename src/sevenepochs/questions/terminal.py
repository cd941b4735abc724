"""What all views share: tokens, bars and tables as the terminal shows them. rich is imported where it is used, so that
questions can be listed without it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sevenepochs.metrics import format_metric

if TYPE_CHECKING:
    from rich.table import Table
    from rich.text import Text

_BAR_CELLS = 30
_SHARE_CELLS = 10
_EIGHTHS = " ▏▎▍▌▋▊▉█"
# surprisal in bits from which a token is shown so; three steps that differ in brightness too
_SURPRISE = ((0.0, "green"), (4.0, "yellow"), (10.0, "bold red"))


def visible(token: str) -> str:
    """A token in which every character can be seen: spaces at its ends as dots, what does not print as an escape.

    Nothing of it reaches the terminal as a control sequence.
    """
    body = token.strip(" ")
    if not body:
        return "·" * len(token)
    lead = len(token) - len(token.lstrip(" "))
    text = "·" * lead + body + "·" * (len(token) - lead - len(body))
    return plain(text)


def plain(text: str) -> str:
    """Text without control characters: they are shown as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def bar(share: float, cells: int = _BAR_CELLS) -> str:
    """A bar of up to `cells` characters for a share of 1, to an eighth of a character."""
    eighths = round(max(0.0, min(1.0, share)) * cells * 8)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def surprise_style(bits: float) -> str:
    """The colour of a token that cost so many bits."""
    return [style for low, style in _SURPRISE if bits >= low or low == 0.0][-1]


def table(*columns: str, **look: Any) -> Table:
    """An empty table without borders. A column whose name starts with ">" is flush right."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, **look)
    for column in columns:
        made.add_column(column.removeprefix(">"), justify="right" if column.startswith(">") else "left")
    return made


def heading(text: str) -> Text:
    """The bold line above a view."""
    from rich.text import Text

    return Text(text, style="bold")


def share_cells(share: float) -> tuple[str, str]:
    """A share as a number and as a bar."""
    return format_metric("share", share), bar(share, _SHARE_CELLS)


def token_and_probability(row: dict[str, Any]) -> str:
    """A token of a prediction with its probability."""
    return f"{visible(row['token'])} {format_metric('probability', row['probability'])}"


def interval_cell(metric: str, interval: Sequence[float] | None) -> str:
    """An interval's ends; '-' where there are too few cases for one."""
    return "-" if interval is None else " to ".join(format_metric(metric, value) for value in interval)
