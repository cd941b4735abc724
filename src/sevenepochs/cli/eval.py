"""`eval`."""

from __future__ import annotations

from pathlib import Path

from sevenepochs.cli.json_output import print_json
from sevenepochs.cli.options import Column, Corpus, Encoding, Folder, Positional, Revision, RunName, other_corpus


def evaluate(
    run: Positional[RunName],
    corpus: Corpus = None,
    column: Column = None,
    encoding: Encoding = None,
    revision: Revision = None,
    load: Folder | None = None,
    runs: Folder = Path("runs"),
    json: bool = False,
) -> None:
    """Score a finished run again in fp32 and measure its causality, on its own corpus or on another one.

    Args:
        run: A run folder, its name's beginning or end, a recipe, or `last`.
        corpus: Another corpus; its validation split is scored, nothing is trained on it.
        column: The column that holds the titles.
        revision: The hub dataset's revision.
        load: A Python file with the run's own recipe classes, if it has any.
        runs: Where run folders are.
        json: Print JSON.
    """
    from sevenepochs.ask.evaluate import evaluate as score
    from sevenepochs.cli.console import console, errors, figures_table
    from sevenepochs.protocol.certificate import CAUSALITY_TOLERANCE_NATS
    from sevenepochs.recipes.catalog import import_file
    from sevenepochs.store.run import find_run

    if load is not None:
        import_file(load)
    other = other_corpus(corpus, column, revision, encoding)
    result = score(find_run(run, runs), other, lambda text: errors.print(text, style="dim"))
    if json:
        print_json(result)
        return
    console.print(f"{result['run']} on {result['n_titles']:,} validation titles of {result['corpus']}, fp32")
    console.print(figures_table({"fp32": result["figures"]}))
    moved = result["causality_violation_nats"]
    style = "dim" if moved <= CAUSALITY_TOLERANCE_NATS else "red"
    console.print(f"later tokens move earlier log-probabilities by at most {moved:.1e} nats", style=style)
    tokenizer = result["tokenizer"]
    if not tokenizer["reversible"]:
        console.print(
            f"the run's tokenizer loses text here: {tokenizer['n_changed']:,} titles changed, "
            f"{tokenizer['n_unknown_tokens']:,} <unk>; the loss is that of another text",
            style="red",
        )
