"""Find finished runs and published results by what a user calls them. No torch.

A recipe's name means all of its seeds: the newest complete run and every other one with the same configuration and
titles. Where no run folder has it, results/ is asked. A damaged folder is passed over; `sevenepochs runs` names it.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from sevenepochs.comparison.compare import by_recipe
from sevenepochs.errors import UserError
from sevenepochs.store.choosing import recipe_key
from sevenepochs.store.results import Result, is_result, list_results, result_of
from sevenepochs.store.run import Run, find_run, list_runs


def select(text: str, runs_root: Path, results_root: Path) -> list[Result]:
    """The results that `text` means: a result's folder, a recipe (all its seeds), or one run (see `find_run`).

    Raises:
        UserError: nothing, or several corpora's results, are called so; or the run is not complete.
    """
    if is_result(Path(text)):
        return [Result.read(Path(text))]
    complete = [result for result in finished_runs(runs_root) if result.recipe == text]
    if complete:
        return _group_of(complete[-1], complete)
    published = [result for result in published_results(results_root) if text in (result.recipe, result.name)]
    if published and not _has_run(text, runs_root):
        corpora = sorted({result.corpus.name for result in published})
        if len(corpora) > 1:
            names = ", ".join(str(result.path) for result in published)
            raise UserError(f"{text!r} is published on several corpora ({', '.join(corpora)}); name one of: {names}")
        return _group_of(max(published, key=lambda r: r.created_utc), published)
    return [result_of(find_run(text, runs_root))]


def _group_of(result: Result, among: list[Result]) -> list[Result]:
    """Return the results of `result`'s recipe, one per seed (the newest), sorted by seed. Includes `result`."""
    [group] = by_recipe(other for other in among if recipe_key(other) == recipe_key(result))
    return list(group.results)


def finished_runs(root: Path) -> list[Result]:
    """Results of all complete runs directly below `root`, oldest first."""
    return list(_readable(list_runs(root)))


def published_results(root: Path) -> list[Result]:
    """Return `store.results.list_results(root)`; none where there is no such folder."""
    return list_results(root) if root.is_dir() else []


def _readable(runs: list[Run]) -> Iterator[Result]:
    for run in runs:
        try:
            if run.state == "complete":
                yield result_of(run)
        except UserError:
            continue


def _has_run(text: str, root: Path) -> bool:
    """Whether a run folder, if only an unfinished one, is meant: then its state is what the user should hear of."""
    try:
        find_run(text, root)
    except UserError:
        return False
    return True
