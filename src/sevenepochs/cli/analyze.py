"""`analyze`."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from sevenepochs.cli.json_output import print_json
from sevenepochs.cli.options import Positional, RunName, Runs, Titles

if TYPE_CHECKING:
    from sevenepochs.ask.predictions import Progress
    from sevenepochs.data.corpus.base import CorpusConfig
    from sevenepochs.store.run import Run

_Names = Annotated[tuple[str, ...], tyro.conf.arg(metavar="NAME ...")]


def analyze(
    run: Positional[RunName],
    only: _Names = (),
    again: bool = False,
    figures: bool = True,
    *,
    titles: Titles,
    runs: Runs,
    json: bool = False,
) -> None:
    """Look at a finished run: what it reads, whether it uses its context, where its loss is, how sure it is.

    What is missing is computed (a pass over the validation text, titles drawn, layers read: some minutes for the stock
    model on two cores) and written to the run's analysis/ folder as JSON, with an SVG beside it for every figure.

    Args:
        only: Some of: data token_frequency next_token where_loss extreme_titles memorisation collapse calibration
            samples layers.
        again: Compute also what is there already.
        figures: Draw the figures (needs matplotlib).
        json: Print the JSON of the analyses instead of the views.
    """
    from sevenepochs.cli.console import console, errors
    from sevenepochs.questions.registry import QUESTIONS

    titles_from = titles.config()
    found = runs.find(run)
    contents = _contents(found, only, again, titles_from)
    if json:
        print_json(contents)
    for name, content in {} if json else contents.items():
        if (view := QUESTIONS[name].view) is not None:
            console.print()
            console.print(view(content))
    if figures:
        n_files = _draw(found, contents)
        errors.print(f"{n_files} figures and their JSON are in {found.path / 'analysis'}", style="dim", soft_wrap=True)


def _contents(run: Run, only: tuple[str, ...], again: bool, corpus: CorpusConfig | None) -> dict[str, Any]:
    """Return the answers by name, computed where they are missing; torch is imported only then."""
    from sevenepochs.cli.console import errors
    from sevenepochs.questions.registry import QUESTIONS, check_names
    from sevenepochs.store.results import result_of

    check_names(only)
    result_of(run)  # an incomplete run is refused before any work
    names = only or tuple(QUESTIONS)
    if again or not set(names) <= set(run.analysis_names()):
        from sevenepochs.questions.registry import analyze as compute

        with progress_of_analyses() as progress:
            compute(
                run, corpus, lambda text: errors.print(text, style="dim"), only=names, again=again, progress=progress
            )
    return {name: run.analysis(name) for name in names}


def _draw(run: Run, contents: dict[str, Any]) -> int:
    """Write the figures beside the JSON; how many."""
    from sevenepochs.questions.registry import QUESTIONS
    from sevenepochs.store.run import layout, storage

    write = functools.partial(Path.write_text, encoding="utf-8", newline="\n")
    drawn: dict[str, str] = {}
    for name, content in contents.items():
        drawn |= QUESTIONS[name].figures(content, run.recipe)
    with storage.disk_errors(f"figures of run {run.name}", "make room or permissions there, and analyse again"):
        for file, svg in drawn.items():
            storage.write_atomic(run.path / layout.ANALYSIS / file, functools.partial(write, data=svg))
    return len(drawn)


@contextmanager
def progress_of_analyses() -> Iterator[Progress]:
    """A bar on the error stream, where that is a terminal; it appears with the first step of an analysis that takes its
    time, and starts again with the next one's."""
    from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

    from sevenepochs.cli.console import errors

    bar = Progress(
        BarColumn(bar_width=24),
        TextColumn("{task.completed}/{task.total}"),
        TimeRemainingColumn(),
        console=errors,
        disable=not errors.is_terminal,
    )
    task: list[TaskID] = []
    before = 0

    def progress(done: int, total: int) -> None:
        nonlocal before
        if not task:
            bar.start()
            task.append(bar.add_task("analysis", total=total))
        elif done < before:
            bar.reset(task[0], total=total)
        bar.update(task[0], completed=done, total=total)
        before = done

    try:
        yield progress
    finally:
        bar.stop()
