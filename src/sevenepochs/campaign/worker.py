"""One job in the process of a Ray worker (workers.py hands it out)."""

from __future__ import annotations

import _thread
import contextlib
import os
import pickle
import platform
import signal
import tempfile
import threading
from pathlib import Path
from typing import Any, NamedTuple

import torch

from sevenepochs.campaign import jobs
from sevenepochs.campaign.jobs import Planned
from sevenepochs.errors import UserError
from sevenepochs.recipes.catalog import import_file
from sevenepochs.store.run import Run, layout, storage, travel
from sevenepochs.training.hooks import Plan, Progress, Watcher
from sevenepochs.training.interrupt import Interrupted

_TELL_SECONDS = 1.0


class Order(NamedTuple):
    """A job for a worker, by the driver's paths."""

    attempt: int  # its number on the board
    files: list[tuple[str, bytes]]  # names and sources of the user's Python files
    job: bytes  # pickled, because it may be made of those files' classes
    run: str | None  # the name of its run folder, where there is one
    root: str  # the runs' folder
    folder: str  # the working directory
    probe: str  # a file that is seen below `root` where this machine shares it
    threads: int


class Outcome(NamedTuple):
    """What became of an attempt: ended; stopped on request; error, the user's; unfit: this node cannot write; died."""

    state: str
    text: str = ""
    node: str = ""


def work(order: Order, board: Any) -> Outcome:
    """Run one job in this process, which Ray started. `board`: the handle of a `Board`."""
    import ray

    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the driver was started in the background
    torch.set_num_threads(order.threads)
    with contextlib.suppress(OSError):
        os.chdir(order.folder)  # for paths of titles
    root = Path(order.root)
    is_shared = (root / jobs.LOCKS / order.probe).is_file()
    telling = _Telling(order.attempt, board, brings_back=not is_shared)
    try:
        with (
            storage.disk_errors("its folder for unfinished runs (TMPDIR)", "make room"),
            tempfile.TemporaryDirectory(prefix="sevenepochs-", ignore_cleanup_errors=True) as folder,
        ):
            scratch = Path(folder)
            for file, source in order.files:
                (scratch / file).write_bytes(source)
                import_file(scratch / file)
            if not is_shared:
                root = scratch / "runs"
                if order.run is not None:
                    travel.unpack(ray.get(board.fetch.remote(order.attempt, order.run)), root / order.run)
            job = pickle.loads(order.job)
            one = Planned(job, "resume", run=Run(root / order.run)) if order.run else Planned(job, "to do")
            try:
                with telling:
                    ended = jobs.run_one(one, root, telling)
            finally:
                telling.bring_back()
        return Outcome("error", telling.last) if ended.state == "failed" else Outcome("ended")
    except (Interrupted, KeyboardInterrupt):
        return Outcome("stopped")
    except UserError as error:
        if not is_shared and isinstance(error.__cause__, OSError):
            node = str(ray.get_runtime_context().get_node_id())
            return Outcome("unfit", f"{platform.node()}: {error}", node)
        return Outcome("error", str(error))


class _Telling(Watcher):
    """Tells the board how far a job is, once a second in a thread, and stops it when the board says so."""

    def __init__(self, attempt: int, board: Any, *, brings_back: bool) -> None:
        self._attempt, self._board, self._brings_back = attempt, board, brings_back
        self._facts: dict[str, Any] = {"node": platform.node(), "pid": os.getpid()}
        self.last = ""  # message: why the run failed
        self._run: Path | None = None
        self._n_targets = 1
        self._saved: object = None
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._tell, daemon=True)

    def __enter__(self) -> _Telling:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def message(self, text: str) -> None:
        self.last = text

    def started(self, plan: Plan) -> None:
        self._run, self._n_targets = plan.run_path, plan.targets_per_step
        self._saved = stamp(plan.run_path)
        self._facts |= {"step": plan.first_step - 1, "n_steps": plan.n_steps}

    def stepped(self, progress: Progress) -> None:
        left = (self._facts["n_steps"] - progress.step) * self._n_targets / progress.tokens_per_second
        loss = progress.train_loss_nats_per_token
        self._facts |= {"step": progress.step, "train_loss": loss, "seconds_left": left}
        if self._brings_back and self._run is not None and stamp(self._run) != self._saved:  # after the step before
            self.bring_back()

    def evaluated(self, step: int, figures: dict[str, float | None]) -> None:
        self._facts |= {"exact": figures["exact_val_loss"]}

    def bring_back(self) -> None:
        """Let the board have the run folder as it is, where this machine does not share it."""
        import ray

        if self._brings_back and self._run is not None:
            self._saved = stamp(self._run)
            ray.get(self._board.keep.remote(self._attempt, self._run.name, travel.pack(self._run)))

    def _tell(self) -> None:
        import ray

        while not self._over.is_set():
            try:
                stops = ray.get(self._board.tell.remote(self._attempt, dict(self._facts)))
            except ray.exceptions.RayError:  # the driver is gone
                stops = True
            if stops and not self._over.is_set():
                _thread.interrupt_main()  # as Ctrl-C does: the step ends, the state is saved
                return
            self._over.wait(_TELL_SECONDS)


def stamp(run: Path) -> object:
    """Something that changes with every checkpoint."""
    with contextlib.suppress(OSError):
        return (run / layout.CHECKPOINT / layout.CHECKPOINT_STATE).stat().st_mtime_ns
    return None
