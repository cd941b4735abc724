"""The search: settings of one recipe varied together at proxy scale, on development titles only (docs/choosing.md).

Optuna's tree-structured Parzen estimator, multivariate (Watanabe 2023, arXiv:2304.11127), proposes; a trial is an
ordinary run in a folder of the search. The study is a journal file beside the runs: the same command goes on with it,
and a run that was stopped is resumed. No trial is cut short: under a decaying learning rate, an early lead says little
about the end.
"""

from __future__ import annotations

import json
import operator
import warnings
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sevenepochs.campaign.jobs import NO_RESULTS, Job, Planned, outcomes, plan, titles_of
from sevenepochs.campaign.proxy import at_proxy_scale, proxy_name
from sevenepochs.campaign.space import Dimension, changes
from sevenepochs.config.old_configs import present_form
from sevenepochs.errors import UserError, install
from sevenepochs.experiment import Experiment
from sevenepochs.store.run import storage
from sevenepochs.store.run.lock import Lock
from sevenepochs.training.hooks import Watcher

if TYPE_CHECKING:
    import optuna

    from sevenepochs.campaign.workers import Workers

_JOURNAL = "optuna.log"
_ERROR = "error"  # attribute of a trial that failed by its own settings; one that was stopped has none
_SPACE = "search.json"
_LOCK = "search.lock"
_SAMPLER_SEED = 1337


@dataclass(frozen=True)
class Trial:
    """A finished trial: the values by dimension, their settings (dotted paths), and the exact loss on the development
    titles, nats per character; None where training failed."""

    number: int
    values: dict[str, float]
    settings: dict[str, float | int]
    loss: float | None
    run: str | None


@dataclass(frozen=True)
class Search:
    """One search: a recipe at full size, what varies, and where it is kept.

    Attributes:
        folder: holds the journal, the space and the trials' run folders.
        settings: KEY=VALUE that made the experiment of the recipe.
    """

    recipe: str
    experiment: Experiment
    dimensions: tuple[Dimension, ...]
    folder: Path
    settings: tuple[str, ...] = ()

    def open(self, *, side_by_side: bool = False) -> optuna.Study:
        """Return the study, new or as it was left.

        Args:
            side_by_side: let open trials count as bad ones, so that none is proposed twice (Ginsbourger et al. 2010).

        Raises:
            UserError: optuna is missing, the folder cannot be written, or holds a search of something else.
        """
        optuna = _optuna()
        facts = {
            "recipe": self.recipe,
            "experiment": {k: v for k, v in self.experiment.to_dict().items() if k != "corpus"},
            "titles": titles_of(at_proxy_scale(self.experiment).corpus),
            "space": [asdict(dimension) for dimension in self.dimensions],
        }
        text = json.dumps(facts, indent=1) + "\n"
        file = self.folder / _SPACE
        with storage.disk_errors(str(file), "choose another folder with --study"):
            self.folder.mkdir(parents=True, exist_ok=True)
            if not file.exists():
                file.write_text(text, encoding="utf-8")
        with storage.damage(file, "choose another folder with --study"):
            kept = present_form(json.loads(file.read_text(encoding="utf-8")))
        if kept != json.loads(text):
            raise UserError(
                f"{self.folder} holds a search of another recipe, corpus or space; name another with --study"
            )
        backend = optuna.storages.journal.JournalFileBackend(str(self.folder / _JOURNAL))
        study = optuna.create_study(
            study_name=self.recipe,
            storage=optuna.storages.JournalStorage(backend),
            direction="minimize",
            load_if_exists=True,
        )
        # the seed fixes the first proposals; one that is begun again must not propose what the study holds already
        seed = _SAMPLER_SEED + len(study.trials)
        study.sampler = optuna.samplers.TPESampler(
            seed=seed, multivariate=True, n_startup_trials=8, constant_liar=side_by_side
        )
        return study

    @staticmethod
    def kept_space(folder: Path) -> tuple[Dimension, ...]:
        """Return the dimensions of the search in a folder; none where there is none, or where `open` would refuse it as
        damaged."""
        try:
            space = json.loads((folder / _SPACE).read_text(encoding="utf-8"))["space"]
            return tuple(
                Dimension(**{**one, "paths": tuple(one["paths"]), "choices": tuple(one["choices"])}) for one in space
            )
        except (OSError, ValueError, KeyError, TypeError):
            return ()

    def run(
        self,
        n_trials: int,
        watcher: Watcher,
        announce: Callable[[int, dict[str, float | int]], None] = lambda number, settings: None,
        workers: Workers | None = None,
    ) -> optuna.Study:
        """Go on until `n_trials` trials are finished, those of earlier sessions counted; return the study. With
        workers, a trial is proposed before the results of those beside it are known.

        Raises:
            UserError: as `open`, another process goes on with this search, or a run cannot be started at all.
            Interrupted: the same call goes on with the run that was stopped.
        """
        study = self.open(side_by_side=workers is not None)
        try:
            lock = Lock(self.folder / _LOCK)
        except BlockingIOError as error:
            raise UserError(
                f"the search in {self.folder} is {error}; wait for it, or name another folder with --study"
            ) from None
        with lock:
            for left_open in study.trials:
                if left_open.state.name == "RUNNING":  # of a stopped session: proposed again, so that its run goes on
                    study.enqueue_trial(left_open.params)
                    _fail(study, left_open.number)
            if not study.trials:
                study.enqueue_trial(self.start())  # the recipe, or what is nearest: what every proposal has to beat
            asked: list[optuna.Trial] = []
            n_told = 0

            def proposals() -> Iterator[Planned]:
                while sum(map(_is_over, study.trials)) + len(asked) - n_told < n_trials:
                    trial = study.ask()
                    if (job := self._job(study, trial, announce)) is not None:
                        asked.append(trial)
                        yield from plan([job], self.folder, NO_RESULTS)

            for index, done in outcomes(proposals(), self.folder, watcher, workers=workers):
                _tell(study, asked[index], done)
                n_told += 1
        return study

    def _job(
        self, study: optuna.Study, trial: optuna.Trial, announce: Callable[[int, dict[str, float | int]], None]
    ) -> Job | None:
        """The trial as a job; None where its values do not fit together, and the trial has failed."""
        values = {dimension.name: _suggest(trial, dimension) for dimension in self.dimensions}
        changed = changes(self.experiment, self.dimensions, values)
        try:
            experiment = self.experiment.replace_all(changed)
        except UserError as error:
            trial.set_user_attr(_ERROR, str(error))
            _fail(study, trial.number)
            return None
        announce(trial.number, changed)
        settings = (*self.settings, *(f"{key}={value}" for key, value in changed.items()))
        return Job(proxy_name(self.recipe), at_proxy_scale(experiment), settings)

    def trials(self, study: optuna.Study) -> list[Trial]:
        """Return the finished trials, best first; failed ones last."""
        found = []
        for one in filter(_is_over, study.trials):
            settings = changes(self.experiment, self.dimensions, one.params)
            found.append(Trial(one.number, dict(one.params), settings, one.value, one.user_attrs.get("run")))
        return sorted(found, key=lambda t: (t.loss is None, t.loss or 0.0, t.number))

    def importances(self, study: optuna.Study) -> dict[str, float]:
        """Return each dimension's share in what separates the good trials (PED-ANOVA, Watanabe et al. 2023,
        arXiv:2304.10255); empty where there are too few trials to tell."""
        optuna = _optuna()
        complete = [trial for trial in study.trials if trial.state.name == "COMPLETE"]
        if len(complete) < max(4, 2 * len(self.dimensions)) or len({t.value for t in complete}) < 2:
            return {}
        evaluator = optuna.importance.PedAnovaImportanceEvaluator()
        return dict(optuna.importance.get_param_importances(study, evaluator=evaluator))

    def start(self) -> dict[str, Any]:
        """Return the recipe's own values, put into the ranges; settings that share a value take the first one's."""
        values: dict[str, Any] = {}
        for dimension in self.dimensions:
            value: Any = operator.attrgetter(dimension.paths[0])(self.experiment)
            if dimension.choices:
                value = min(dimension.choices, key=lambda choice: abs(choice - value))
            else:
                value = min(max(value, dimension.low), dimension.high)
                value = round(value) if dimension.whole else float(value)
            values[dimension.name] = value
        return values


def _tell(study: optuna.Study, trial: optuna.Trial, done: Planned) -> None:
    if done.result is not None:
        trial.set_user_attr("run", done.result.facts.run)
        study.tell(trial, done.result.exact)
    elif done.state in ("failed", "running"):  # else it was stopped, and stays open
        trial.set_user_attr(_ERROR, f"the run is {done.state}")
        _fail(study, trial.number)


def _fail(study: optuna.Study, number: int) -> None:
    study.tell(number, state=_optuna().trial.TrialState.FAIL)


def _is_over(trial: optuna.trial.FrozenTrial) -> bool:
    return trial.state.name == "COMPLETE" or (trial.state.name == "FAIL" and _ERROR in trial.user_attrs)


def _suggest(trial: optuna.Trial, dimension: Dimension) -> float:
    if dimension.choices:
        return float(trial.suggest_categorical(dimension.name, dimension.choices))
    if dimension.whole:
        low, high, step = round(dimension.low), round(dimension.high), round(dimension.step or 1)
        return trial.suggest_int(dimension.name, low, high, step=1 if dimension.log else step, log=dimension.log)
    return trial.suggest_float(dimension.name, dimension.low, dimension.high, step=dimension.step, log=dimension.log)


def _optuna() -> Any:
    try:
        import optuna
    except ModuleNotFoundError:
        raise UserError(f"the search needs optuna: {install('search')}") from None
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    # `multivariate` and the journal are marked experimental; the version is pinned below the next major one
    warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
    return optuna
