"""`corpus`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import tyro

from sevenepochs.cli.json_output import print_json
from sevenepochs.cli.options import Column, Encoding, Json, Positional, Revision

if TYPE_CHECKING:
    from rich.table import Table

_WORD_COLUMNS = 4


def corpus(
    source: Positional[Annotated[str, tyro.conf.arg(metavar="hub|sample|PATH")]] = "sample",
    column: Column = None,
    encoding: Encoding = None,
    revision: Revision = None,
    json: Json = False,
) -> None:
    """Describe a corpus: counts, lengths, duplicates between the splits, most frequent words, recognised version.

    Args:
        source: The hub, the embedded sample (sample:N for N titles), or a file.
        column: The column that holds the titles.
        encoding: The text file's encoding, e.g. cp1252.
        revision: The hub dataset's revision.
    """
    from sevenepochs.cli.console import console
    from sevenepochs.data.corpus.describe import describe
    from sevenepochs.data.corpus.parse import parse_corpus

    described = describe(parse_corpus(source, column=column, revision=revision, encoding=encoding).load())
    if json:
        print_json(described)
        return
    console.print(_facts_table(described))
    console.print()
    console.print("Most frequent words of the training titles, upper and lower case together:")
    console.print(_words_table(described["frequent_train_words"]))


def _facts_table(described: dict[str, Any]) -> Table:
    from rich.table import Table
    from rich.text import Text

    from sevenepochs.metrics import format_metric

    source, lengths = described["source"], described["title_chars"]
    rows: list[tuple[str, str]] = [
        ("corpus", f"{described['name']} ({source['kind']}, {source['file']})"),
        ("recognised as", described["recognised"] or "no known version"),
        ("licence", described["licence"] or "not stated"),
        ("titles", f"{described['n_titles_used']:,} of {described['n_rows']:,} rows"),
        ("for training", f"{described['n_train']:,} titles, {described['train_chars']:,} characters with <eos>"),
        (
            "for validation",
            f"{described['n_validation']:,} titles, {described['validation_chars']:,} characters with <eos>",
        ),
        (
            "characters a title",
            f"{lengths['min']} to {lengths['max']}, median {lengths['median']:g}, mean {lengths['mean']:.1f}, "
            f"95 % have at most {lengths['p95']}",
        ),
        (
            "met in training",
            f"{described['n_validation_titles_in_train']:,} validation titles word for word "
            f"({format_metric('share', described['share_validation_titles_in_train'])})",
        ),
        ("repeated in training", f"{described['n_duplicates_in_train']:,}"),
        ("empty", f"{described['n_empty_titles']:,}"),
        ("with a special token's text", f"{described['n_titles_with_special_text']:,}"),
    ]
    if described["floor_nats_per_char"] is not None:
        floor = format_metric("floor_val_loss", described["floor_nats_per_char"])
        error = format_metric("val_loss_half_width", described["floor_standard_error"])
        rate = format_metric("floor_val_loss", described["entropy_rate_nats_per_char"])
        rows.append(("entropy rate", f"{rate} nats/char, what the floor tends to with more titles"))
        rows.append(("floor", f"{floor} +- {error} nats/char (standard error) on the validation titles"))
    rows += [(f"sha256, {what}", described[f"{what}_titles_sha256"]) for what in ("train", "validation")]
    rows += [("warning", warning) for warning in source["warnings"]]
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for label, value in rows:
        table.add_row(label, Text(value))
    return table


def _words_table(words: list[tuple[str, int]]) -> Table:
    """Down the columns, so that ranks read like a list."""
    from rich.table import Table
    from rich.text import Text

    n_rows = -(-len(words) // _WORD_COLUMNS)
    table = Table(box=None, pad_edge=False)
    for _ in range(_WORD_COLUMNS):
        table.add_column("word")
        table.add_column("count  ", justify="right")
    for row in range(n_rows):
        cells = [Text(str(cell)) for word, count in words[row::n_rows] for cell in (word, f"{count:,}  ")]
        table.add_row(*cells)
    return table
