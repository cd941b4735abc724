"""The public Python API: what notebooks use. The command line's verbs are the same steps with printing around them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sevenepochs.analysis.compare import Comparison
from sevenepochs.analysis.compare import compare as _compare
from sevenepochs.corpus.parse import parse_corpus
from sevenepochs.results_folder import Result, result_of
from sevenepochs.run_folder import Run

if TYPE_CHECKING:
    from sevenepochs.experiment import Experiment
    from sevenepochs.train.hooks import Watcher


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
    from sevenepochs.train.trainer import run_training

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
