"""Shared by all views: tokens, bars and tables. Functions import rich, so listing questions does not need it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias

from sevenepochs.metrics import format_metric

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

View: TypeAlias = "RenderableType"
"""What the terminal shows of an answer."""
Cell = str | tuple[str, str]
"""Plain text, or text and its style. Nothing in it is read as markup."""
Column = str | Mapping[str, Any]
"""A name, flush right where it starts with ">"; or a `header` (a Cell) and other options of rich's columns."""

_EIGHTHS = " ▏▎▍▌▋▊▉█"
# surprisal in bits from which a token has this style; they differ in brightness as well
_SURPRISE = ((10.0, "bold red"), (4.0, "yellow"))


def visible(token: str) -> str:
    """Return a token in which every character can be seen: spaces at its ends as dots, controls as escapes."""
    lead = len(token) - len(token.lstrip(" "))
    return plain(("·" * lead + token.strip(" ")).ljust(len(token), "·"))


def plain(text: str) -> str:
    """Return text with control characters as escapes, so that none reaches the terminal."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def bar(share: float, cells: int = 30) -> str:
    """Return a bar of up to `cells` characters for a share of 1, to an eighth of a character."""
    eighths = round(max(0.0, min(1.0, share)) * cells * 8)
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def surprise_style(bits: float) -> str:
    """Return the colour of a token that cost so many bits."""
    return next((style for low, style in _SURPRISE if bits >= low), "green")


def table(columns: Sequence[Column], rows: Iterable[Sequence[Cell]] = (), *, fold: bool = False, **look: Any) -> Table:
    """Return a table without borders; `look` goes to rich's Table. With `fold`, cells that are too wide go on in the
    next line; else they are cut."""
    from rich.table import Table

    made = Table(box=None, pad_edge=False, **look)
    overflow = "fold" if fold else "ellipsis"
    for column in columns:
        if isinstance(column, str):
            column = {"header": column.removeprefix(">"), "justify": "right" if column.startswith(">") else "left"}
        made.add_column(**{"overflow": overflow, **column, "header": text(column.get("header", ""))})
    for row in rows:
        made.add_row(*map(text, row))
    return made


def stack(heading: str, *parts: Cell | View) -> View:
    """Return a bold heading above lines of text and tables."""
    from rich.console import Group

    return Group(*(text(part) if isinstance(part, str | tuple) else part for part in ((heading, "bold"), *parts)))


def share_cells(share: float) -> tuple[str, str]:
    """Return a share as a number and as a bar."""
    return format_metric("share", share), bar(share, 10)


def token_and_probability(row: Mapping[str, Any]) -> str:
    """Return a token of a prediction with its probability."""
    return f"{visible(row['token'])} {format_metric('probability', row['probability'])}"


def interval_cell(metric: str, interval: Sequence[float] | None) -> str:
    """Return an interval's ends; '-' where there are too few cases for one."""
    return "-" if interval is None else " to ".join(format_metric(metric, value) for value in interval)


def text(cell: Cell) -> Text:
    """Return a cell as rich's text."""
    from rich.text import Text

    return Text(cell) if isinstance(cell, str) else Text(cell[0], style=cell[1])
