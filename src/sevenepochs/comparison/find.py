"""Find finished runs and published results by what a user calls them. No torch.

A recipe's name means all of its seeds: the newest complete run whose settings are the recipe's (where none's are, the
newest), and every other one with the same configuration and titles. Where no run folder has it, results/ is asked. A
damaged folder is passed over; `sevenepochs runs` names it.
"""

from __future__ import annotations

import difflib
from pathlib import Path

from sevenepochs.comparison.compare import by_recipe
from sevenepochs.errors import UserError
from sevenepochs.recipes.configs import unchanged
from sevenepochs.store.choosing import recipe_key
from sevenepochs.store.results import Result, finished_runs, is_result, list_results, result_of
from sevenepochs.store.run import find_run


def select(text: str, runs_root: Path, results_root: Path) -> list[Result]:
    """Return the results that `text` means: a result's folder, a recipe (all its seeds), or one run (see `find_run`).

    Raises:
        UserError: nothing, or several corpora's results, are called so; or the run is not complete.
    """
    if is_result(Path(text)):
        return [Result.read(Path(text))]
    finished = finished_runs(runs_root)
    complete = [result for result in finished if result.recipe == text]
    if complete:
        return _group_of((unchanged(complete) or complete)[-1], complete)
    everything = list_results(results_root)
    published = [result for result in everything if text in (result.recipe, result.name)]
    try:
        run = find_run(text, runs_root)  # an unfinished one counts: its state is what the user should hear of
    except UserError:
        known = {result.recipe for result in (*finished, *everything)}
        if not published and (close := difflib.get_close_matches(text, known, n=1, cutoff=0.75)):
            raise UserError(f"no run or result is called {text!r}; did you mean {close[0]!r}?") from None
        if not published:
            raise
    else:
        return [result_of(run)]
    corpora = sorted({result.corpus.name for result in published})
    if len(corpora) > 1:
        names = ", ".join(str(result.path) for result in published)
        raise UserError(f"{text!r} is published on several corpora ({', '.join(corpora)}); name one of: {names}")
    return _group_of(max(unchanged(published) or published, key=lambda r: r.created_utc), published)


def _group_of(result: Result, among: list[Result]) -> list[Result]:
    """The results of `result`'s recipe, one per seed (the newest), sorted by seed."""
    [group] = by_recipe(other for other in among if recipe_key(other) == recipe_key(result))
    return list(group.results)
