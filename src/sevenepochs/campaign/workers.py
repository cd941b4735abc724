"""Jobs side by side on Ray's workers, on this machine or a cluster (Moritz et al. 2018, arXiv:1712.05889).

The program that hands out the jobs (the driver) holds their locks, reads what is done from the runs' folder, and starts
a job again from its last checkpoint when its worker or node dies. Ray starts processes and finds free processors and
GPUs. A worker trains in the runs' folder, where its machine has it, else in a folder of its own, whose run it brings
back with every checkpoint (board.py).
"""

from __future__ import annotations

import contextlib
import os
import pickle
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sevenepochs.campaign import jobs
from sevenepochs.campaign.board import Board, Overview, Row
from sevenepochs.campaign.jobs import Planned
from sevenepochs.campaign.worker import Order, Outcome, stamp, work
from sevenepochs.errors import UserError, install
from sevenepochs.recipes.catalog import imported
from sevenepochs.store.run import storage
from sevenepochs.store.run.lock import Lock
from sevenepochs.training.hooks import Watcher
from sevenepochs.training.interrupt import StopRequests
from sevenepochs.training.ranks import Ranks

_POLL_SECONDS = 0.5
_PATIENCE_SECONDS = 60.0  # until the lock of a worker that died counts as another program's
_MOST_DEATHS = 3  # of one job without a new checkpoint in between
_SMALL_STORE_BYTES = 100_000_000  # on one machine nothing large goes through Ray's memory


@dataclass(frozen=True)
class Workers:
    """Workers for jobs.

    Attributes:
        count: jobs at a time; None for one per GPU of the cluster, or one per node where there is none.
        address: a Ray cluster's; None starts Ray on this machine for as long as the jobs take.
    """

    count: int | None = None
    address: str | None = None

    def run(self, planned: Iterable[Planned], runs_root: Path, watcher: Watcher) -> Iterator[tuple[int, Planned]]:
        """Run jobs as `jobs.outcomes` does, side by side; they are pulled as workers get free.

        Raises:
            UserError: as there; Ray is missing, or its cluster cannot be reached. The other jobs are stopped first.
            KeyboardInterrupt: on request; the state of all jobs is saved, and the same call goes on from there.
        """
        overview = watcher if isinstance(watcher, Overview) else Overview()
        notice = "stopping all runs after their step, with everything saved; once more to stop at once"
        with _connected(self) as ray, StopRequests(lambda: overview.message(notice)) as stop:
            try:
                yield from _Driver(ray, self, runs_root.absolute(), overview, stop).run(planned)
            except ray.exceptions.RayTaskError:
                raise
            except ray.exceptions.RayError as error:
                raise UserError(
                    f"Ray went away ({_line(error)}); the same command goes on from the checkpoints"
                ) from None


@dataclass
class _Turn:
    """A job that has begun: `lock` is the driver's, `ref` Ray's promise of its outcome; None while it waits."""

    number: int
    one: Planned
    key: str
    deadline: float
    lock: Lock | None = None
    ref: Any = None
    attempt: int = 0
    deaths: int = 0
    checkpoint: object = None  # the one that the attempt began with
    avoid: set[str] = field(default_factory=set)


class _Driver:
    def __init__(self, ray: Any, workers: Workers, root: Path, overview: Overview, stop: StopRequests) -> None:
        self._ray, self._root, self._overview, self._stop = ray, root, overview, stop
        self._error: UserError | None = None
        self._attempts = 0
        self._turns: list[_Turn] = []
        here = ray.get_runtime_context().get_node_id()
        affinity = ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(here, soft=False)
        self._board = ray.remote(Board).options(num_cpus=0, scheduling_strategy=affinity).remote(str(root))
        self._n_gpus = int(ray.cluster_resources().get("GPU", 0))
        nodes = [node["Resources"].get("CPU", 1) for node in ray.nodes() if node["Alive"]]
        self._slots = workers.count or self._n_gpus or len(nodes)
        per_node = -(-self._slots // len(nodes))
        self._cores = max(1, int(min(nodes)) // per_node)  # of one job
        self._probe = _leave_probe(root)

    def run(self, planned: Iterable[Planned]) -> Iterator[tuple[int, Planned]]:
        waiting = enumerate(planned)
        try:
            while True:
                while not self._is_stopping() and len(self._turns) < self._slots:
                    if (pulled := next(waiting, None)) is None:
                        break
                    if pulled[1].state in ("to do", "resume", "running"):
                        self._turns.append(_Turn(*pulled, jobs.lock_name(pulled[1].job), _in_a_while()))
                    else:
                        yield pulled
                if not self._turns:
                    break
                for turn in list(self._turns):
                    done = self._begin(turn) if turn.ref is None else self._outcome(turn)
                    if done is not None:
                        self._turns.remove(turn)
                        if turn.lock is not None:
                            turn.lock.release()
                        self._overview.ended(turn.number, done)
                        yield turn.number, done
                self._show()
                if refs := [turn.ref for turn in self._turns if turn.ref is not None]:
                    self._ray.wait(refs, timeout=_POLL_SECONDS)
                else:
                    time.sleep(_POLL_SECONDS)
        finally:
            self._overview.finished()
            (self._root / jobs.LOCKS / self._probe).unlink(missing_ok=True)
        if self._error is not None:
            raise self._error
        if self._stop.requested:
            self._overview.message("stopped; the same command goes on from here")
            raise KeyboardInterrupt

    def _is_stopping(self) -> bool:
        return self._stop.requested or self._error is not None

    def _begin(self, turn: _Turn) -> Planned | None:
        """Hand the job out. Returns what became of it where there is nothing to do, None where it runs or waits."""
        if self._is_stopping():
            return turn.one
        is_late = time.monotonic() > turn.deadline
        if turn.lock is None:
            if any(other.key == turn.key and other.lock is not None for other in self._turns):
                return None  # the same job, named twice
            try:
                turn.lock = jobs.lock_of(turn.one.job, self._root)
            except BlockingIOError:
                return replace(turn.one, state="running") if is_late else None
        turn.one = jobs.look_again(turn.one, self._root)
        if turn.one.state == "running" and not is_late:
            return None  # by a worker that is just dying
        if turn.one.state not in ("to do", "resume"):
            return turn.one
        self._attempts += 1
        turn.checkpoint = _checkpoint_of(turn.one)
        turn.attempt, job, run = self._attempts, turn.one.job, turn.one.run
        threads = int(os.environ.get("OMP_NUM_THREADS", self._cores))
        names = (run.name if run else None, str(self._root), str(Path.cwd()), self._probe)
        order = Order(turn.attempt, list(imported.values()), pickle.dumps(job), *names, threads)
        on_gpu = self._n_gpus > 0 and job.experiment.training.device != "cpu"
        others = {"ray.io/node-id": f"!in({','.join(sorted(turn.avoid))})"} if turn.avoid else None
        task = self._ray.remote(work).options(
            num_cpus=1 if on_gpu else self._cores,
            num_gpus=int(on_gpu),
            max_retries=0,
            label_selector=others,
            scheduling_strategy="SPREAD",
        )
        turn.ref = task.remote(order, self._board)
        return None

    def _outcome(self, turn: _Turn) -> Planned | None:
        """Return what became of a job that was handed out, None while it runs. One whose worker died waits again."""
        if not self._ray.wait([turn.ref], timeout=0)[0]:
            return None
        try:
            outcome = self._ray.get(turn.ref)
        except self._ray.exceptions.RayTaskError:
            raise
        except self._ray.exceptions.RayError as error:
            outcome = Outcome("died", _line(error))
        self._ray.get(self._board.end.remote(turn.attempt))
        turn.ref, now = None, jobs.look_again(turn.one, self._root)
        what = f"{now.job.name}, seed {now.job.seed}: {outcome.text}"
        if now.state == "done" or outcome.state == "stopped" or self._is_stopping():
            return now
        if outcome.state == "error":
            self._overview.message(what)
            if now.state != "failed":
                self._error = UserError(outcome.text)
            return now
        if outcome.state == "unfit":
            turn.avoid.add(outcome.node)
            if turn.avoid >= {node["NodeID"] for node in self._ray.nodes() if node["Alive"]}:
                self._error = UserError(outcome.text)
                return now
        turn.deaths = 1 if _checkpoint_of(now) != turn.checkpoint else turn.deaths + 1
        if turn.deaths > _MOST_DEATHS:
            self._overview.message(f"{what}; given up after {turn.deaths} times without a new checkpoint")
            return replace(now, state="failed")
        self._overview.message(f"{what}; it is started again from its last checkpoint")
        turn.deadline = _in_a_while()
        return None

    def _show(self) -> None:
        if self._is_stopping():
            self._ray.get(self._board.stop.remote())
        facts = self._ray.get(self._board.facts.remote())
        self._overview.show([Row(turn.number, turn.one.job, facts.get(turn.attempt, {})) for turn in self._turns])


def _in_a_while() -> float:
    return time.monotonic() + _PATIENCE_SECONDS


def _line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _checkpoint_of(one: Planned) -> object:
    return stamp(one.run.path) if one.run is not None else None


def _leave_probe(root: Path) -> str:
    """Write a file by which workers see that they share the runs' folder; return its name."""
    name = f"{uuid.uuid4().hex}.probe"
    with storage.disk_errors(f"the folder {root}", "choose another folder with --runs"):
        (root / jobs.LOCKS).mkdir(parents=True, exist_ok=True)
        (root / jobs.LOCKS / name).touch()
    return name


@contextlib.contextmanager
def _connected(workers: Workers) -> Iterator[Any]:
    """Give the module `ray`, connected; what was started here is stopped at the end."""
    if workers.count is not None and workers.count < 1:
        raise UserError(f"--workers {workers.count}: at least 1")
    if Ranks.from_environment().count > 1:
        raise UserError("--workers and --ray run whole jobs side by side; start them without torchrun")
    # Ray would send statistics to its makers, print a notice about GPUs, and give its workers a nice value of 15
    for name in ("RAY_USAGE_STATS_ENABLED", "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "RAY_worker_niceness"):
        os.environ.setdefault(name, "0")
    try:
        import ray
        import ray.util.scheduling_strategies
    except ModuleNotFoundError:
        raise UserError(f"--workers and --ray need Ray: {install('cluster')}") from None
    if ray.is_initialized():
        yield ray
        return
    cores = max(workers.count or 1, os.cpu_count() or 1)
    own = {"num_cpus": cores, "object_store_memory": _SMALL_STORE_BYTES, "include_dashboard": False}
    options = own if workers.address is None else {}
    try:
        ray.init(address=workers.address or "local", **options, log_to_driver=False, logging_level="error")
    except (OSError, RuntimeError, ValueError) as error:
        where = workers.address or "this machine"
        raise UserError(
            f"Ray on {where}: {_line(error)}; docs/many-machines.md says how a cluster is started"
        ) from None
    try:
        yield ray
    finally:
        ray.shutdown()
