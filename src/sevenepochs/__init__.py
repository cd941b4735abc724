"""sevenepochs: how low can a small GPT's validation loss go on Hacker News headlines in seven epochs, and why?

    >>> import sevenepochs
    >>> experiment = sevenepochs.load_recipe("demo_adamw").replace("optimizer.lr", 1e-3)
    >>> run = sevenepochs.train(experiment)
    >>> run.summary["figures"]["exact_val_loss"]

This file is the whole public API. Its functions do what the command line's verbs do, and import what they need when
they are called, so that `import sevenepochs` is quick.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sevenepochs.errors import UserError

if TYPE_CHECKING:
    from sevenepochs.comparison.compare import Comparison
    from sevenepochs.experiment import Experiment
    from sevenepochs.report.chapter import Chapters
    from sevenepochs.store.results import Result
    from sevenepochs.store.run import Run
    from sevenepochs.training.hooks import Watcher

# By default, threads that wait for work spin and take the processor from whoever needs it: beside one busy process a
# small run took three times as long (docs/performance.md). libgomp reads this once, when torch loads it.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "4000")

__all__ = ["Run", "UserError", "compare", "evaluate", "load_recipe", "open_story", "resume", "train"]
__version__ = "0.1.0"


def load_recipe(name: str, *, corpus: str | None = None, seed: int | None = None) -> Experiment:
    """Return the Experiment of a recipe: a name of `sevenepochs list`, or `path/file.py:function`.

    Args:
        corpus: "hub", "sample" or a path; None keeps the recipe's own.
        seed: initialisation, dropout and order.

    Raises:
        UserError: no such recipe or corpus.
    """
    from sevenepochs.data.corpus.parse import parse_corpus
    from sevenepochs.recipes.catalog import load_recipe as load

    experiment = load(name)
    if corpus is not None:
        experiment = experiment.replace("corpus", parse_corpus(corpus))
    return experiment if seed is None else experiment.replace("training.seed", seed)


def train(
    experiment: Experiment | str,
    *,
    name: str | None = None,
    runs: Path | str = "runs",
    progress: bool | None = None,
    watcher: Watcher | None = None,
) -> Run:
    """Train an experiment (or a recipe by name) and return the complete run.

    Args:
        name: what run.json records as the run's recipe, part of its folder's name; by default the recipe that the
            experiment was loaded as, or "custom".
        runs: the folder for run folders.
        progress: print progress to stdout. None does so in a terminal and in a notebook, and is silent elsewhere.
        watcher: receives progress instead of printing.

    Raises:
        UserError: bad input, or a loss that is not finite.
    """
    from sevenepochs.cli.console import watcher_here
    from sevenepochs.recipes.catalog import settings_of
    from sevenepochs.training.trainer import run_training

    if isinstance(experiment, str):
        experiment = load_recipe(experiment)
    settings = settings_of(experiment) if name is None else None
    name = name or experiment.recipe or "custom"
    return run_training(experiment, name, Path(runs), watcher or watcher_here(progress), settings)


def resume(
    run: Run | Path | str,
    *,
    corpus: str | None = None,
    runs: Path | str = "runs",
    progress: bool | None = None,
    watcher: Watcher | None = None,
) -> Run:
    """Go on with an interrupted run from its last checkpoint and return it complete.

    Args:
        run: a run, its folder, or a text as `sevenepochs resume` takes it: a name, a recipe or "last".
        corpus: where the run's titles are now, if they moved.
        runs: the folder of run folders.
        progress, watcher: as for `train`.

    Raises:
        UserError: there is no such run, it is complete or broken, or the titles are not those that it began with.
    """
    from sevenepochs.cli.console import watcher_here
    from sevenepochs.data.corpus.development import moved
    from sevenepochs.data.corpus.parse import parse_corpus
    from sevenepochs.experiment import Experiment
    from sevenepochs.store.run import Run, find_run
    from sevenepochs.training.trainer import resume_training

    found = run if isinstance(run, Run) else find_run(str(run), Path(runs))
    experiment = Experiment.from_dict(found.config)
    if corpus is not None:
        experiment = experiment.replace("corpus", moved(experiment.corpus, parse_corpus(corpus)))
    return resume_training(found, experiment, watcher or watcher_here(progress))


def evaluate(run: Run | Path | str, corpus: str | None = None, *, runs: Path | str = "runs") -> dict[str, Any]:
    """Score a finished run in fp32 on its own corpus or on another one; see `sevenepochs.ask.evaluate`.

    Args:
        run, runs: as for `resume`.

    Returns:
        The five figures (`figures`), causality, and what the tokenizer loses.
    """
    from sevenepochs.ask.evaluate import evaluate as score
    from sevenepochs.data.corpus.parse import parse_corpus
    from sevenepochs.store.run import Run, find_run

    found = run if isinstance(run, Run) else find_run(str(run), Path(runs))
    return score(found, parse_corpus(corpus) if corpus is not None else None)


def compare(runs: Sequence[Run | Result]) -> Comparison:
    """Line up runs or published results; the first is the reference.

    Raises:
        UserError: fewer than two, or one that is not complete.
    """
    from sevenepochs.comparison.compare import compare as line_up
    from sevenepochs.store.results import Result, result_of

    return line_up([run if isinstance(run, Result) else result_of(run) for run in runs])


def open_story(run: Path | str, subject: str = "first", *, runs: Path | str = "runs") -> Chapters:
    """Return the story's runs as the notebooks show them: chapters `first`, `one`, `two`, `best` and `inside`.

    Args:
        run: "results" (the project's published ones), a folder of results or a single result; a run folder, which
            plays `subject` whatever its recipe, beside complete runs of the other recipes in the same folder;
            "train", which trains up to `subject` on the hub's titles, or "train demo", small models on the embedded
            ones. Runs that are complete are not trained again.
        subject: the chapter that the notebook is about.
        runs: the folder for the runs of "train".

    Raises:
        UserError: there is no such thing, or it is broken or incomplete.
    """
    from sevenepochs.report.opening import open_chapters

    def trained(recipe: str) -> Run:
        return train(recipe, runs=runs, progress=True)

    return open_chapters(run, subject, Path(runs), trained)


def __getattr__(name: str) -> Any:
    if name == "Run":
        from sevenepochs.store.run import Run

        return Run
    raise AttributeError(f"module 'sevenepochs' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
