"""A small run that is killed at random moments and gone on with, until so many kills are done:

    python -m tests.faults.kills 200 --seed 1

What is killed is a whole job as a user has it: train or resume, publish, analyse. Some attempts are two processes at
once, and every process has another clock. Each completed job is compared with the one that nobody killed, by hashes.
The last line of the output is JSON.
"""

from __future__ import annotations

import argparse
import collections
import contextlib
import datetime
import functools
import hashlib
import io
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from sevenepochs.campaign.jobs import Job, execute, plan
from sevenepochs.cli.main import main as command_line
from sevenepochs.errors import UserError
from sevenepochs.experiment import Experiment
from sevenepochs.questions.registry import analyze
from sevenepochs.recipes.story import adamw
from sevenepochs.store.publishing import publish
from sevenepochs.store.run import layout, list_runs, writer
from sevenepochs.training.hooks import Watcher
from tests.conftest import TINY

DONE, BUSY, REFUSED, BROKEN = 0, 4, 3, 1  # exit codes of a child
QUESTIONS = ("token_frequency", "collapse")
TIMING = {"tokens_per_second", "elapsed_seconds", "elapsed_time", "timestamp"}
MOST_SECONDS = 3600.0


def small() -> Experiment:
    """A job of a second with a checkpoint after each step."""
    changes = {"corpus.n_titles": 60, "model.n_layer": 1, "training.epochs": 3, "training.checkpoint_seconds": 0.0}
    return adamw().replace_all({**TINY, **changes})


def work(root: Path, experiment: Experiment, clock_seconds: float = 0.0) -> int:
    """Do the whole job in this process, as far as it is not done; return an exit code."""
    torch.set_num_threads(1)

    class Shifted(datetime.datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime.datetime:  # type: ignore[override]
            return super().now(tz) + datetime.timedelta(seconds=clock_seconds)

    writer.datetime = Shifted  # type: ignore[misc]
    runs = root / "runs"
    try:
        [one] = execute(plan([Job("small", experiment, ())], runs, root / "nowhere"), runs, Watcher())
        if one.result is None:
            return BUSY
        assert one.result.run is not None
        analyze(one.result.run, only=QUESTIONS)
        publish(one.result.run, root / "results")
    except UserError as error:
        print(f"refused: {error}", file=sys.stderr, flush=True)
        return REFUSED
    return DONE


def in_child(action: Callable[[], int]) -> int:
    """Start a process that does it; return its id."""
    sys.stdout.flush()
    if (child := os.fork()) == 0:
        try:
            code = action()
        except BaseException:
            traceback.print_exc()
            code = BROKEN
        os._exit(code)
    return child


def exit_of(child: int) -> int:
    status = os.waitpid(child, 0)[1]
    return -os.WTERMSIG(status) if os.WIFSIGNALED(status) else os.WEXITSTATUS(status)


def outcome(root: Path) -> dict[str, str]:
    """Hashes of all that must not depend on kills: weights, losses, curve, answers, the published result."""
    [run] = [run for run in list_runs(root / "runs") if (run.path / layout.SUMMARY).exists()]
    run.check_sums()
    [result] = [path for path in (root / "results").iterdir() if not path.name.startswith(".")]
    facts = json.loads((result / "result.json").read_text())
    plain = {key: facts[key] for key in ("figures", "figures_run_precision", "n_steps", "parameters", "config")}
    contents = {
        "weights": (run.path / layout.MODEL).read_bytes(),
        "losses": (run.path / layout.TITLE_LOSSES).read_bytes(),
        "metrics": _text([{k: v for k, v in row.items() if k not in TIMING} for row in run.metrics()]),
        "result": _text(plain),
        **{f"published {path.name}": path.read_bytes() for path in sorted((result / "analysis").glob("*"))},
    }
    assert not list(run.path.glob(".*")), "unfinished files are left"
    return {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()}


def _text(data: Any) -> bytes:
    return json.dumps(data, sort_keys=True).encode()


def phase(root: Path) -> str:
    """How far the job is, by what is on the disk."""
    runs = [run for run in list_runs(root / "runs")]
    if any((run.path / layout.SUMMARY).exists() for run in runs):
        return "published" if list((root / "results").glob("[!.]*")) else "complete"
    for run in runs:
        if (run.path / layout.TITLE_LOSSES).exists():
            return "concluding"
        if run.has_checkpoint():
            return "training"
    return "beginning"


def examine(root: Path) -> None:
    """Everything that reads runs copes with what a kill left behind."""
    for run in list_runs(root / "runs"):
        with contextlib.suppress(UserError):
            assert run.state in ("complete", "interrupted"), run.state
            run.evaluations()
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        assert command_line(["runs", "--runs", str(root / "runs")]) in (0, 2)


def campaign(n_kills: int, seed: int, place: Path) -> dict[str, Any]:
    """Kill so often; return what was seen. Raises AssertionError at the first difference."""
    chance, experiment = random.Random(seed), small()
    (place / "whole").mkdir()
    started = time.monotonic()
    assert exit_of(in_child(lambda: work(place / "whole", experiment))) == DONE
    seconds = time.monotonic() - started
    expected = outcome(place / "whole")
    kills, jobs, refusals = collections.Counter[str](), 0, collections.Counter[str]()
    root = place / "0"
    while sum(kills.values()) < n_kills or root.exists():
        root.mkdir(exist_ok=True)
        is_last = sum(kills.values()) >= n_kills
        clocks = [chance.uniform(-1e6, 1e6) for _ in range(1 if is_last or chance.random() < 0.8 else 2)]
        children = [in_child(functools.partial(work, root, experiment, clock)) for clock in clocks]
        if not is_last:
            # the end of a job is short, so half of the kills wait for it
            goal, until = chance.choice(("", "", "concluding", "complete")), time.monotonic() + 2 * seconds
            while goal and phase(root) not in (goal, "complete", "published") and time.monotonic() < until:
                time.sleep(0.002)
            time.sleep(chance.uniform(0, (0.1 if goal else 0.8) * seconds))
            before = phase(root)
            for child in children:
                os.kill(child, signal.SIGKILL)
        codes = [exit_of(child) for child in children]
        kills[before if not is_last else ""] += codes.count(-signal.SIGKILL)
        for code in codes:
            assert code in (DONE, BUSY, REFUSED, -signal.SIGKILL), (code, root)
            # two at once: the second one finds a folder that is being written
            assert code != REFUSED or len(codes) > 1, root
            refusals[{BUSY: "left alone", REFUSED: "refused"}.get(code, "")] += 1
        examine(root)
        if DONE in codes:
            assert outcome(root) == expected, root
            shutil.rmtree(root)
            jobs += 1
            root = place / str(jobs)
        assert time.monotonic() - started < MOST_SECONDS
    del refusals[""], kills[""]
    return {
        "kills": sum(kills.values()), "where": dict(kills), "jobs completed": jobs, "results that differ": 0,
        "second processes": dict(refusals), "seconds": round(time.monotonic() - started),
    }  # fmt: skip


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("kills", type=int)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SEVENEPOCHS_CACHE"] = folder + "/cache"
        print(json.dumps({"seed": options.seed, **campaign(options.kills, options.seed, Path(folder))}))
