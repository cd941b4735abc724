"""The public Python API: what notebooks use. The command line's verbs are the same steps with printing around them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sevenepochs.analysis.compare import Comparison
from sevenepochs.analysis.compare import compare as _compare
from sevenepochs.analysis.finished import finished_runs
from sevenepochs.corpus.parse import parse_corpus
from sevenepochs.metrics import format_metric
from sevenepochs.results_folder import Result, result_of
from sevenepochs.run_folder import Run
from sevenepochs.training.hooks import Watcher

if TYPE_CHECKING:
    from sevenepochs.experiment import Experiment
    from sevenepochs.report.chapter import Chapters


def load_recipe(name: str, *, corpus: str | None = None, seed: int | None = None) -> Experiment:
    """The Experiment of a recipe: a name of `sevenepochs list`, or `path/file.py:function`.

    Args:
        corpus: "hub", "sample" or a path; None keeps the recipe's own.
        seed: initialisation, dropout and order.

    Raises:
        UserError: no such recipe or corpus.
    """
    from sevenepochs.recipes.catalog import load_recipe as load

    experiment = load(name)
    if corpus is not None:
        experiment = experiment.replace("corpus", parse_corpus(corpus))
    return experiment if seed is None else experiment.replace("training.seed", seed)


def train(
    experiment: Experiment | str, *, name: str | None = None, runs: Path | str = "runs", watcher: Watcher | None = None
) -> Run:
    """Train an experiment (or a recipe by name) and return the complete run.

    Args:
        name: what the run folder is called after; the recipe's name by default.
        watcher: told of progress; None is silent.

    Raises:
        UserError: bad input, or a loss that is not finite.
    """
    from sevenepochs.training.trainer import run_training

    if isinstance(experiment, str):
        name, experiment = name or experiment, load_recipe(experiment)
    return run_training(experiment, name or "custom", Path(runs), watcher)


def evaluate(run: Run | Path | str, corpus: str | None = None) -> dict[str, Any]:
    """The five figures in fp32 on the run's own corpus, or on another one; see `analysis.evaluate`."""
    from sevenepochs.analysis.evaluate import evaluate as score

    return score(run if isinstance(run, Run) else Run(Path(run)), parse_corpus(corpus) if corpus is not None else None)


def compare(runs: Sequence[Run | Result]) -> Comparison:
    """Runs or published results side by side; the first is the reference.

    Raises:
        UserError: fewer than two, or one that is not complete.
    """
    return _compare([result_of(run) if isinstance(run, Run) else run for run in runs])


def open_story(run: Path | str, subject: str = "first", *, runs: Path | str = "runs") -> Chapters:
    """What the notebooks look at: the story's runs as chapters `first`, `one`, `two` and `best`.

    Args:
        run: "results" (the project's published ones), a folder of results or a single result; a run folder, which
            plays `subject` whatever its recipe, beside complete runs of the other recipes in the same folder;
            "train", which trains up to `subject` on the hub's titles, or "train demo", small models on the embedded
            ones. Runs that are complete are not trained again.
        subject: the chapter that the notebook is about.
        runs: where "train" puts its runs.

    Raises:
        UserError: there is no such thing, or it is broken or incomplete.
    """
    from sevenepochs.report.opening import chapters_of_results, chapters_of_runs, find_results, recipes_up_to

    text = str(run)
    if text in ("train", "train demo"):
        recipes = recipes_up_to(subject, demo=text == "train demo")
        trained = [_run_of(recipe, Path(runs)) for recipe in recipes]
        _analyze(trained)
        return chapters_of_runs(trained, {}, "train")
    if (Path(run) / "run.json").is_file():
        found, cast = _with_siblings(Run(Path(run)), subject)
        _analyze(found)
        return chapters_of_runs(found, cast, "run")
    return chapters_of_results(find_results(text))


def _run_of(recipe: str, runs: Path) -> Run:
    """The newest complete run of a recipe, trained now where there is none."""
    complete = [result.run for result in finished_runs(runs) if result.facts["recipe"] == recipe and result.run]
    return complete[-1] if complete else train(recipe, runs=runs, watcher=_Lines())


def _with_siblings(run: Run, subject: str) -> tuple[list[Run], dict[str, str]]:
    """The run, and the complete runs beside it whose recipes the story knows; what the run plays."""
    from sevenepochs.report.opening import story_recipes

    own = result_of(run)
    found = {own.name: run}
    for other in finished_runs(run.path.resolve().parent):
        is_sibling = other.facts["recipe"] in story_recipes() and other.facts["recipe"] != run.recipe
        if is_sibling and other.titles == own.titles and other.run:
            found[other.name] = other.run
    return list(found.values()), {subject: own.name}


def _analyze(runs: list[Run]) -> None:
    from sevenepochs.analysis.standard import analyze

    for run in runs:
        if "next_token" not in run.analysis_names():
            analyze(run)


class _Lines(Watcher):
    """Progress as lines: what a notebook keeps."""

    def message(self, text: str) -> None:
        print(text, flush=True)

    def evaluated(self, step: int, figures: dict[str, float | None]) -> None:
        exact = format_metric("exact_val_loss", figures["exact_val_loss"], unit=True)
        print(f"step {step:5}  exact {exact}", flush=True)
