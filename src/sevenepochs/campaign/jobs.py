"""Jobs: a recipe with a seed that is to be run, and the run or result that exists of it.

A job is done when a complete run or a published result has its name, configuration, seed and titles. The configuration
is compared as the present package reads it, so that a field which came later counts with its default. Device,
compilation and micro-batches do not count. The precision counts as it was asked for ("auto" is one on all machines): a
run that was begun in one precision is not resumed in another.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from sevenepochs.campaign.proxy import at_proxy_scale, proxy_name
from sevenepochs.data.corpus.base import CorpusConfig
from sevenepochs.data.corpus.fingerprint import fingerprint
from sevenepochs.errors import UserError
from sevenepochs.experiment import Experiment
from sevenepochs.protocol.budget import OFFICIAL_SEED
from sevenepochs.store.choosing import EXECUTION_FIELDS
from sevenepochs.store.facts import to_json
from sevenepochs.store.results import Result, finished_runs, list_all, result_of
from sevenepochs.store.run import Run, list_runs, storage
from sevenepochs.store.run.lock import Lock
from sevenepochs.store.run.writer import recipe_label
from sevenepochs.training.hooks import Watcher
from sevenepochs.training.trainer import resume_training, run_training

if TYPE_CHECKING:
    from sevenepochs.campaign.workers import Workers

LOCKS = ".jobs"  # in the runs' folder
NO_RESULTS = Path("no published results")  # for `plan`, where runs count and published figures do not

Announce = Callable[[int, "Planned"], None]
State = Literal["done", "resume", "running", "failed", "to do"]


@dataclass(frozen=True)
class Job:
    """A run to have. `name`: the recipe's, for its folder; `settings`: KEY=VALUE that were added to the recipe."""

    name: str
    experiment: Experiment
    settings: tuple[str, ...] = ()

    @property
    def seed(self) -> int:
        return self.experiment.training.seed


@dataclass(frozen=True)
class Planned:
    """A job with its state. `result`: where it is done; `run`: its folder where that is not complete."""

    job: Job
    state: State
    result: Result | None = None
    run: Run | None = None


def jobs_for(
    name: str, experiment: Experiment, n_seeds: int, settings: tuple[str, ...] = (), *, proxy: bool
) -> list[Job]:
    """Return the jobs of one recipe: the official seed and those that follow it.

    Args:
        name: a recipe's, or `path/file.py:function`; runs are called after the last part.
        settings: KEY=VALUE that made the experiment of the recipe.
    """
    if n_seeds < 1:
        raise UserError(f"{n_seeds} seeds; at least 1 is needed")
    name = recipe_label(name)
    if proxy:
        name, experiment = proxy_name(name), at_proxy_scale(experiment)
    return [
        Job(name, experiment.replace("training.seed", seed), settings)
        for seed in range(OFFICIAL_SEED, OFFICIAL_SEED + n_seeds)
    ]


def plan(jobs: Iterable[Job], runs_root: Path, results_root: Path, *, may_download: bool = True) -> list[Planned]:
    """Return each job's state: a complete run decides, else the newest of several.

    Args:
        may_download: whether a hub corpus that is not cached may be fetched, to know its titles; otherwise its jobs
            count as to do.
    """
    jobs = list(jobs)
    if not may_download and any(job.experiment.corpus.to_fetch() is not None for job in jobs):
        return [Planned(job, "to do") for job in jobs]
    runs, done = list_runs(runs_root), list_all(results_root, runs_root)
    return [look(job, runs, done) for job in jobs]


def check_titles(jobs: Iterable[Job]) -> None:
    """Raise UserError unless all jobs have the same titles, before hours of training show that they cannot be compared:
    recipes' own corpora differ."""
    titles = [(titles_of(job.experiment.corpus), job.name) for job in jobs]
    other = next((name for found, name in titles if found != titles[0][0]), None)
    if other is not None:
        raise UserError(
            f"{titles[0][1]} and {other} have other titles, so they cannot be compared; name one corpus with --corpus"
        )


def results_of(planned: Iterable[Planned]) -> list[Result]:
    """Return the results of those that are done."""
    return [one.result for one in planned if one.result is not None]


def execute(
    planned: Sequence[Planned],
    runs_root: Path,
    watcher: Watcher,
    announce: Announce = lambda index, one: None,
    workers: Workers | None = None,
) -> list[Planned]:
    """Run what is not done; return the same jobs with their new states. See `outcomes`."""
    finished = list(planned)
    for index, one in outcomes(planned, runs_root, watcher, announce, workers):
        finished[index] = one
    return finished


def outcomes(
    planned: Iterable[Planned],
    runs_root: Path,
    watcher: Watcher,
    announce: Announce = lambda index, one: None,
    workers: Workers | None = None,
) -> Iterator[tuple[int, Planned]]:
    """Run what is not done; give each job's index and new state as it ends. In this process jobs run in order, and the
    next one is pulled when the one before it is over.

    Each job is looked for again when its turn comes, because another process may have begun or finished it. It is
    locked from then on: a run has no folder until its data is read. A run whose loss is not finite, or that does not
    fit into the GPU, is left as failed and the next one starts. A run that another process writes is left alone.

    Args:
        announce: called before each run of this process with its index in `planned`.
        workers: run jobs side by side there; an `Overview` as `watcher` follows them all.

    Raises:
        UserError: bad corpus, settings or folder.
        Interrupted: as in `run_training`; the same call goes on from there. KeyboardInterrupt where there are workers.
    """
    if workers is not None:
        yield from workers.run(planned, runs_root, watcher)
        return
    for index, one in enumerate(planned):
        if one.state in ("to do", "resume"):
            try:
                lock = lock_of(one.job, runs_root)
            except BlockingIOError:
                one = replace(one, state="running")
            else:
                with lock:
                    one = look_again(one, runs_root)
                    if one.state in ("to do", "resume"):
                        announce(index, one)
                        one = run_one(one, runs_root, watcher)
        yield index, one


def lock_name(job: Job) -> str:
    """Return the file name of a job's lock: equal for all processes that would make the same run."""
    key = [job.name, job.seed, titles_of(job.experiment.corpus), config_key(job.experiment)]
    return hashlib.sha256(json.dumps(key, sort_keys=True).encode()).hexdigest()[:16] + ".lock"


def lock_of(job: Job, runs_root: Path) -> Lock:
    """Take a job's lock. Raises BlockingIOError: another process holds it. UserError: it cannot be written."""
    folder = runs_root / LOCKS
    with storage.disk_errors(f"the folder {runs_root}", "choose another folder with --runs"):
        folder.mkdir(parents=True, exist_ok=True)
        return Lock(folder / lock_name(job))


def run_one(one: Planned, runs_root: Path, watcher: Watcher) -> Planned:
    """Run or resume a job, locked by the caller, in this process; return it done or failed. Raises as `outcomes`."""
    job = one.job
    try:
        if one.run is not None:
            run = resume_training(one.run, job.experiment, watcher)
        else:
            run = run_training(job.experiment, job.name, runs_root, watcher, job.settings)
    except UserError as error:
        now = look(job, list_runs(runs_root), ())  # others may have begun runs meanwhile
        if now.state != "failed":
            raise
        watcher.message(str(error))
        return now
    return Planned(job, "done", result=result_of(run))


def look_again(one: Planned, runs_root: Path) -> Planned:
    """Return a job with its state in the runs' folder now."""
    return look(one.job, list_runs(runs_root), finished_runs(runs_root))


def look(job: Job, runs: Sequence[Run], done: Sequence[Result]) -> Planned:
    """Return a job's state among runs and finished results."""
    titles = titles_of(job.experiment.corpus)
    key = config_key(job.experiment)
    for result in reversed(done):
        is_named = (result.recipe, result.seed) == (job.name, job.seed)
        if is_named and to_json(result.corpus.split) == titles and _key_of(result.config) == key:
            return Planned(job, "done", result=result)
    for run in reversed(runs):
        try:
            is_named = (run.recipe, run.seed) == (job.name, job.seed)
            state = run.state
            if not is_named or state == "complete" or run.corpus.get("split") != titles or _key_of(run.config) != key:
                continue
        except UserError:
            continue  # damaged, or killed before its first files were written: nothing to go on from
        return Planned(job, "resume" if state == "interrupted" else state, run=run)
    return Planned(job, "to do")


def config_key(experiment: Experiment) -> dict[str, Any]:
    """Return an experiment's configuration without its corpus (titles are compared instead) and without how a machine
    executes it."""
    config = experiment.to_dict()
    del config["corpus"]
    for name in EXECUTION_FIELDS:
        del config["training"][name]
    return config


@functools.lru_cache(maxsize=4)
def titles_of(corpus: CorpusConfig) -> dict[str, Any]:
    """Return the fingerprint of a corpus's split; the corpus is read once for all jobs."""
    return fingerprint(corpus.load().split())


def _key_of(config: dict[str, Any]) -> dict[str, Any] | None:
    try:
        return config_key(Experiment.from_dict(config))
    except UserError:  # made of classes that are not loaded, or of a package of another time
        return None
