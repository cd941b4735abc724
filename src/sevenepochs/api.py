"""The public Python API: what notebooks use. The command line's verbs are the same steps with printing around them."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sevenepochs.comparison.compare import Comparison
from sevenepochs.comparison.compare import compare as _compare
from sevenepochs.data.corpus.parse import parse_corpus
from sevenepochs.errors import UserError
from sevenepochs.metrics import format_metric
from sevenepochs.store.results import Result, result_of
from sevenepochs.store.run import Run, find_run
from sevenepochs.training.hooks import Plan, Progress, Watcher

if TYPE_CHECKING:
    from sevenepochs.experiment import Experiment
    from sevenepochs.report.chapter import Chapters

_LINE_SECONDS = 60.0  # between the lines of a notebook, which keeps them all


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
    experiment: Experiment | str,
    *,
    name: str | None = None,
    runs: Path | str = "runs",
    progress: bool | None = None,
    watcher: Watcher | None = None,
) -> Run:
    """Train an experiment (or a recipe by name) and return the complete run.

    Args:
        name: what the run folder is called after; by default the recipe that the experiment was loaded as, or "custom".
        runs: where run folders go.
        progress: print progress to stdout. None does so in a terminal and in a notebook, and is silent elsewhere.
        watcher: is told of progress in place of printing.

    Raises:
        UserError: bad input, or a loss that is not finite.
    """
    from sevenepochs.training.trainer import run_training

    if isinstance(experiment, str):
        experiment = load_recipe(experiment)
    settings = _settings(experiment) if name is None else None
    name = name or experiment.recipe or "custom"
    return run_training(experiment, name, Path(runs), watcher or _watcher(progress), settings)


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
        run: a run, its folder, or what `sevenepochs resume` takes: a name, a recipe or "last".
        corpus: where the run's titles are now, if they moved.
        runs: where run folders are.
        progress, watcher: as for `train`.

    Raises:
        UserError: there is no such run, it is complete or broken, or the titles are not those that it began with.
    """
    from sevenepochs.data.corpus.development import moved
    from sevenepochs.experiment import Experiment
    from sevenepochs.training.trainer import resume_training

    found = run if isinstance(run, Run) else find_run(str(run), Path(runs))
    experiment = Experiment.from_dict(found.config)
    if corpus is not None:
        experiment = experiment.replace("corpus", moved(experiment.corpus, parse_corpus(corpus)))
    return resume_training(found, experiment, watcher or _watcher(progress))


def evaluate(run: Run | Path | str, corpus: str | None = None) -> dict[str, Any]:
    """The five figures in fp32 on the run's own corpus, or on another one; see `analysis.evaluate`."""
    from sevenepochs.ask.evaluate import evaluate as score

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
    from sevenepochs.report.opening import open_chapters

    def trained(recipe: str) -> Run:
        return train(recipe, runs=runs, watcher=_Lines())

    return open_chapters(run, subject, Path(runs), trained, _analyze)


def _analyze(run: Run) -> None:
    from sevenepochs.questions.registry import analyze

    analyze(run)


def _settings(experiment: Experiment) -> list[str] | None:
    """KEY=VALUE that make the experiment of its recipe, as `--set` takes them; None where text cannot say it."""
    from sevenepochs.recipes.catalog import load_recipe as load
    from sevenepochs.recipes.configs import changes

    if experiment.recipe is None:
        return None
    try:
        recipe = load(experiment.recipe).replace("corpus", experiment.corpus)
        settings = dict(_as_text(changes(recipe.to_dict(), experiment.to_dict())))
        says_it = recipe.replace_all(settings) == experiment
    except UserError:  # at proxy scale, or with a class that another program cannot find by its name
        return None
    return [f"{path}={text}" for path, text in settings.items()] if says_it else None


def _as_text(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for key, value in config.items():
        if isinstance(value, dict):
            yield prefix + key, str(value["kind"])
            yield from _as_text({k: v for k, v in value.items() if k != "kind"}, f"{prefix}{key}.")
        elif isinstance(value, list):
            yield prefix + key, ",".join(map(str, value))
        else:
            yield prefix + key, str(value).lower() if value is None or isinstance(value, bool) else str(value)


def _watcher(progress: bool | None) -> Watcher | None:
    """What prints progress here; None where nothing does."""
    if progress is False:
        return None
    if _is_notebook():
        return _Lines()
    if progress or (sys.stdout is not None and sys.stdout.isatty()):
        from sevenepochs.cli.console import ConsoleWatcher

        return ConsoleWatcher()
    return None


def _is_notebook() -> bool:
    """Whether a Jupyter kernel runs this; IPython in a terminal has none."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")


class _Lines(Watcher):
    """Progress as lines: what a notebook keeps."""

    def __init__(self) -> None:
        self._n_steps = 0
        self._last_line = time.monotonic()

    def message(self, text: str) -> None:
        self._print(text)

    def started(self, plan: Plan) -> None:
        self._n_steps = plan.n_steps
        parameters = format_metric("parameters", plan.parameters)
        self._print(f"{plan.run_path}: {parameters} parameters, {plan.n_steps:,} steps")

    def stepped(self, progress: Progress) -> None:
        if time.monotonic() - self._last_line > _LINE_SECONDS:
            loss = format_metric("train_loss_nats_per_token", progress.train_loss_nats_per_token, unit=True)
            self._print(f"step {progress.step:5}/{self._n_steps}  {loss}")

    def evaluated(self, step: int, figures: dict[str, float | None]) -> None:
        exact = format_metric("exact_val_loss", figures["exact_val_loss"], unit=True)
        self._print(f"step {step:5}/{self._n_steps}  exact {exact}")

    def _print(self, text: str) -> None:
        self._last_line = time.monotonic()
        print(text, flush=True)
