"""`publish`."""

from __future__ import annotations

from pathlib import Path

from sevenepochs.cli.options import Column, Corpus, Folder, Positional, RunName


def publish(
    run: Positional[RunName],
    corpus: Corpus = None,
    column: Column = None,
    results: Folder = Path("results"),
    load: Folder | None = None,
    runs: Folder = Path("runs"),
) -> None:
    """Write the small, committable part of a finished run to results/, its standard analyses included.

    Args:
        run: A run folder, part of its name, or `last`.
        corpus: Where the run's titles are now, if they moved.
        column: The column that holds the titles.
        results: Where results go.
        load: A Python file with the run's own recipe classes, if it has any.
        runs: Where run folders are.
    """
    from sevenepochs.analysis.standard import analyze
    from sevenepochs.analysis.title_losses import write as write_title_losses
    from sevenepochs.cli.analyze import progress_of_analyses
    from sevenepochs.cli.console import console
    from sevenepochs.corpus.parse import parse_corpus
    from sevenepochs.recipes.catalog import import_file
    from sevenepochs.results_folder import publish as write
    from sevenepochs.results_folder import result_of
    from sevenepochs.run_folder import find_run

    if load is not None:
        import_file(load)
    found = find_run(run, runs)
    result_of(found)  # an incomplete run is refused before any work
    other = parse_corpus(corpus, column=column) if corpus else None
    with progress_of_analyses() as progress:
        analyze(found, other, lambda text: console.print(text, style="dim"), progress=progress)
    write_title_losses(found, other, lambda text: console.print(text, style="dim"))
    target = write(found, results)
    console.print(f"published to {target}; commit it")
