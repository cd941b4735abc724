"""`publish`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from sevenepochs.cli.options import Positional, ResultsFolder, Runs, Titles

Names = Annotated[tuple[str, ...], tyro.conf.arg(metavar="RUN [RUN ...]")]


def publish(
    names: Positional[Names],
    *,
    titles: Titles,
    runs: Runs,
    results: ResultsFolder = Path("results"),
    analyses: bool = True,
) -> None:
    """Write the small, committable part of finished runs to results/, their standard analyses included.

    A run at proxy scale keeps its losses by title, for comparisons, and no other analysis.

    Args:
        names: Run folders, how their names begin or end, recipes, or `last`.
        analyses: Make the standard analyses first, minutes on a CPU; without, those that are there go along.
    """
    from sevenepochs.cli.analyze import progress_of_analyses
    from sevenepochs.cli.console import console
    from sevenepochs.comparison.title_losses import write as write_title_losses
    from sevenepochs.errors import UserError
    from sevenepochs.questions.registry import analyze
    from sevenepochs.store.publishing import publish as write
    from sevenepochs.store.results import result_of

    def announce(text: str) -> None:
        console.print(text, style="dim")

    if not names:
        raise UserError("which run? name one or several, or `last`; `sevenepochs runs` lists them")
    other = titles.config()
    # an incomplete one among them is refused before any work
    found = {run.path: (run, result_of(run).is_proxy) for run in map(runs.find, names)}
    for run, is_proxy in found.values():
        if analyses and not is_proxy:
            with progress_of_analyses() as progress:
                analyze(run, other, announce, progress=progress)
        write_title_losses(run, other, announce)
        console.print(f"published to {write(run, results)}; commit it")
