"""`corpus`."""

from __future__ import annotations

from typing import Annotated

import tyro

from sevenepochs.cli.options import Column, Positional, Revision


def corpus(
    source: Positional[Annotated[str, tyro.conf.arg(metavar="hub|sample|PATH")]] = "sample",
    column: Column = None,
    revision: Revision = None,
    json: bool = False,
) -> None:
    """Describe a corpus: counts, lengths, duplicates between the splits, most frequent words, recognised version.

    Args:
        source: The hub, the embedded sample (sample:N for N titles), or a file.
        column: The column that holds the titles.
        revision: The hub dataset's revision.
        json: Print JSON.
    """
    import json as json_module

    from sevenepochs.cli.console import console
    from sevenepochs.corpus.describe import describe
    from sevenepochs.corpus.parse import parse_corpus

    facts = describe(parse_corpus(source, column=column, revision=revision).load())
    if json:
        print(json_module.dumps(facts, indent=1, ensure_ascii=False))
        return
    for key, value in facts.items():
        console.print(f"{key.replace('_', ' '):<34} {_shown(value)}", soft_wrap=True, markup=False)


def _shown(value: object) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(inner)}" for key, inner in value.items()) or "-"
    if isinstance(value, (list, tuple)):
        return ", ".join(" ".join(map(str, v)) if isinstance(v, (list, tuple)) else _shown(v) for v in value) or "-"
    if isinstance(value, float):
        return f"{value:,.4f}"
    if isinstance(value, int) and not isinstance(value, bool):
        return f"{value:,}"
    return "-" if value is None else str(value)
