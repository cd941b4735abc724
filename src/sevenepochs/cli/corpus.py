"""`corpus`."""

from __future__ import annotations

from typing import Annotated, Any

from rich.table import Table
from rich.text import Text
from tyro.conf import arg

from sevenepochs.cli.console import console, print_json
from sevenepochs.cli.options import Facts, Json, Name, Positional, Revision
from sevenepochs.data.corpus.describe import describe
from sevenepochs.data.corpus.parse import parse_corpus
from sevenepochs.data.facts import describe_facts
from sevenepochs.metrics import format_metric
from sevenepochs.questions.terminal import table

_WORD_COLUMNS = 4


def corpus(
    source: Positional[Annotated[str, arg(metavar="hub|sample|PATH")]] = "sample",
    column: Name = None,
    encoding: Name = None,
    revision: Revision = None,
    facts: Facts = None,
    json: Json = False,
) -> None:
    """Describe a corpus: counts, lengths, duplicates between the splits, most frequent words, recognised version.

    Args:
        source: The hub, the embedded sample (sample:N for N titles), or a file.
        column: The column that holds the titles.
        encoding: The text file's encoding, e.g. cp1252.
        revision: The version of the hub's titles: 2023, 2026, or a commit's SHA.
        facts: Also describe columns that a model may be told beside the titles, e.g. url,time or href:link.
    """
    loaded = parse_corpus(source, column=column, revision=revision, encoding=encoding).load()
    described = describe(loaded)
    if facts is not None:
        described["facts"] = describe_facts(loaded, facts.split(","))
    if json:
        print_json(described)
        return
    listed = table(("", ""), show_header=False)
    listed.columns[0].style, listed.columns[1].overflow = "dim", "fold"
    for label, value in _facts(described):
        listed.add_row(label, Text(value))
    console.print(listed)
    console.print("\nMost frequent words of the training titles, upper and lower case together:")
    console.print(_words_table(described["frequent_train_words"]))


def _facts(of: dict[str, Any]) -> list[tuple[str, str]]:
    source, length = of["source"], of["title_chars"]
    share = format_metric("share", of["share_validation_titles_in_train"])
    rows = [
        ("corpus", f"{of['name']} ({source['kind']}, {source['file']})"),
        ("recognised as", of["recognised"] or "no known version"),
        ("licence", of["licence"] or "not stated"),
        ("titles", f"{of['n_titles_used']:,} of {of['n_rows']:,} rows"),
        ("for training", f"{of['n_train']:,} titles, {of['train_chars']:,} characters with <eos>"),
        ("for validation", f"{of['n_validation']:,} titles, {of['validation_chars']:,} characters with <eos>"),
        (
            "characters per title",
            f"{length['min']} to {length['max']}, median {length['median']:g}, mean {length['mean']:.1f}, "
            f"95 % have at most {length['p95']}",
        ),
        ("met in training", f"{of['n_validation_titles_in_train']:,} validation titles word for word ({share})"),
        ("repeated in training", f"{of['n_duplicates_in_train']:,}"),
        ("empty", f"{of['n_empty_titles']:,}"),
        ("with a special token's text", f"{of['n_titles_with_special_text']:,}"),
    ]
    if of["floor_nats_per_char"] is not None:
        floor = format_metric("floor_val_loss", of["floor_nats_per_char"])
        error = format_metric("val_loss_half_width", of["floor_standard_error"])
        rate = format_metric("floor_val_loss", of["entropy_rate_nats_per_char"])
        rows.append(("entropy rate", f"{rate} nats/char, what the floor tends to with more titles"))
        rows.append(("floor", f"{floor} +- {error} nats/char (standard error) on the validation titles"))
    for fact in of.get("facts", []):
        frequent = ", ".join(f"{value} ({n:,})" for value, n in fact["frequent"])
        none = format_metric("share", fact["share_none"])
        rows.append((f"fact {fact['column']}", f"{fact['kind']}, {fact['n_values']:,} values, {none} none: {frequent}"))
    rows += [(f"sha256, {what}", of[f"{what}_titles_sha256"]) for what in ("train", "validation")]
    return [*rows, *(("warning", warning) for warning in source["warnings"])]


def _words_table(words: list[tuple[str, int]]) -> Table:
    """Words with their counts, ranked down the columns."""
    n_rows = -(-len(words) // _WORD_COLUMNS)
    made = table(("word", ">count  ") * _WORD_COLUMNS)
    for row in range(n_rows):
        made.add_row(*(Text(cell) for word, count in words[row::n_rows] for cell in (word, f"{count:,}  ")))
    return made
