"""Tokens and predictions as the terminal shows them."""

from __future__ import annotations

from typing import Any

from rich.table import Table
from rich.text import Text

from sevenepochs.metrics import format_metric

_BAR_CELLS = 30
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


def top_table(prediction: dict[str, Any]) -> Table:
    """The most probable tokens with bars (the longest fills the width), the truth's own row marked."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(justify="right", style="dim")
    table.add_column()
    table.add_column(justify="right")
    table.add_column()
    truth = prediction.get("truth", {}).get("id")
    highest = max(row["probability"] for row in prediction["top"])
    for rank, row in enumerate(prediction["top"], start=1):
        style = "bold green" if row["id"] == truth else ""
        table.add_row(
            str(rank),
            Text(visible(row["token"]), style=style),
            format_metric("probability", row["probability"]),
            Text(bar(row["probability"] / highest if highest else 0.0), style="cyan"),
        )
    return table


def truth_line(truth: dict[str, Any]) -> Text:
    """What came next, and how the model took it."""
    return Text.assemble(
        "truth ",
        (visible(truth["token"]), "bold green"),
        f"  rank {truth['rank']:,}  {format_metric('probability', truth['probability'])}"
        f"  {format_metric('surprisal_bits', truth['surprisal_bits'], unit=True)}",
    )


def title_table(read: dict[str, Any]) -> Table:
    """A row a token: surprisal with a bar, rank, and what was expected instead."""
    table = Table(box=None, pad_edge=False)
    table.add_column("token")
    table.add_column("bits", justify="right")
    table.add_column("")
    table.add_column("rank", justify="right")
    table.add_column("probability", justify="right")
    table.add_column("expected")
    highest = max(row["surprisal_bits"] for row in read["tokens"])
    for row in read["tokens"]:
        style = surprise_style(row["surprisal_bits"])
        first = row["top"][0]
        expected = (
            ""
            if row["rank"] == 1
            else f"{visible(first['token'])} {format_metric('probability', first['probability'])}"
        )
        table.add_row(
            Text(visible(row["token"]), style=style),
            format_metric("surprisal_bits", row["surprisal_bits"]),
            Text(bar(row["surprisal_bits"] / highest if highest > 0 else 0.0, 16), style=style),
            f"{row['rank']:,}",
            format_metric("probability", row["probability"]),
            Text(expected, style="dim"),
        )
    return table


def surprise_style(bits: float) -> str:
    """The colour of a token that cost so many bits."""
    return [style for low, style in _SURPRISE if bits >= low or low == 0.0][-1]


def two_runs_table(found: dict[str, Any]) -> Table:
    """A row a stretch of text, the bits of both runs, and what the second one gained; then the totals."""
    first, second = found["runs"]
    names = f"run 1: {first['run']}\nrun 2: {second['run']}"
    table = Table(box=None, pad_edge=False, show_footer=True, title=Text(names), title_justify="left")
    gained = first["surprisal_bits"] - second["surprisal_bits"]
    largest = max(abs(row["gained_bits"]) for row in found["segments"]) or 1.0
    table.add_column("text", footer="in all")
    for number, run in enumerate((first, second), start=1):
        bits = format_metric("surprisal_bits", run["surprisal_bits"])
        table.add_column(f"run {number} bits", justify="right", footer=bits)
    table.add_column("run 2 gained", justify="right", footer=format_metric("gained_bits", gained, unit=True))
    table.add_column("")
    for row in found["segments"]:
        style = "green" if row["gained_bits"] > 0 else "red"
        table.add_row(
            Text(visible(row["text"])),
            *(format_metric("surprisal_bits", bits) for bits in row["bits"]),
            format_metric("gained_bits", row["gained_bits"]),
            Text(bar(abs(row["gained_bits"]) / largest, 16), style=style),
        )
    return table
