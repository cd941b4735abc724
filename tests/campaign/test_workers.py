"""Jobs on Ray's workers: the same runs to the bit, also after a kill, on machines with and without the runs' folder."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import sevenepochs
from sevenepochs.campaign import workers
from sevenepochs.campaign.board import Board, Overview, Row
from sevenepochs.campaign.jobs import Job, Planned, execute, jobs_for, plan
from sevenepochs.campaign.workers import Workers
from sevenepochs.cli.main import main
from sevenepochs.experiment import Experiment
from sevenepochs.store.run import Run, layout, list_runs, travel
from sevenepochs.training.hooks import Watcher
from sevenepochs.training.interrupt import Interrupted
from tests.campaign.test_jobs import SETTINGS, StopAt, another_process_holds

NOWHERE = Path("nowhere")


def weights(root: Path) -> dict[int, bytes]:
    """The final weights by seed."""
    assert all(run.state == "complete" for run in list_runs(root))
    return {run.seed: (run.path / layout.MODEL).read_bytes() for run in list_runs(root)}


def stopped(job: Job, root: Path, step: int = 3) -> Run:
    with pytest.raises(Interrupted):
        execute(plan([job], root, NOWHERE), root, StopAt(step))
    return list_runs(root)[-1]


@pytest.fixture(scope="module")
def slow(tiny: Experiment) -> Experiment:
    """Some seconds of training with a checkpoint after each step."""
    return tiny.replace_all({"corpus.n_titles": 300, "training.checkpoint_seconds": 0.0, "training.epochs": 3})


def test_a_run_folder_travels_whole(tiny: Experiment, finished_run: Run, tmp_path: Path) -> None:
    [job] = jobs_for("tiny", tiny, 1, proxy=False)
    run = stopped(job, tmp_path)
    here, there = run.path, tmp_path / "there" / run.name
    travel.unpack(travel.pack(here), there)
    assert Run(there).state == "interrupted" and not list(there.rglob(".*")) and not (there / layout.LOCK).exists()
    (there / layout.FAILURE).write_text("{}")
    execute(plan([job], tmp_path, NOWHERE), tmp_path, Watcher())
    travel.unpack(travel.pack(here), there)  # over the older state
    assert travel.pack(there) == travel.pack(here) and not (there / layout.CHECKPOINT).exists()
    assert (there / layout.MODEL).read_bytes() == (finished_run.path / layout.MODEL).read_bytes()


def test_the_board_takes_nothing_of_an_attempt_that_was_given_up(finished_run: Run, tmp_path: Path) -> None:
    files = {layout.RUN: (finished_run.path / layout.RUN).read_bytes()}
    board = Board(str(tmp_path))
    assert not board.tell(1, {"step": 1})
    board.keep(1, "run", files)
    assert Run(tmp_path / "run").state == "running" and board.facts() == {1: {"step": 1}}
    board.end(1)
    assert Run(tmp_path / "run").state == "interrupted" and board.tell(1, {})
    with pytest.raises(AssertionError):
        board.keep(1, "run", files)
    assert board.fetch(2, "run") == files and not board.tell(2, {})
    board.stop()
    assert board.tell(2, {})


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["train", "adamw", "--workers", "2"], "--seeds"),
        (["train", "adamw", "--seeds", "2", "--seed", "5"], "--seed "),
        (["train", "adamw", "--seeds", "2", "--set", "training.seed=5"], "--seeds"),
        (["train", "adamw", "--seeds", "2", "--workers", "0"], "--workers 0"),
        (["noise", "adamw", "--workers", "2"], "--train 3"),
        (["train", "adamw", "--seeds", "2", "--workers", "2"], ".[cluster]"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main([*arguments, "--corpus", "sample:200", *SETTINGS]) == 2
    [line] = capsys.readouterr().err.splitlines()
    assert says in line and not Path("runs").exists()


def test_seeds_one_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    command = ["train", "adamw", "--seeds", "2", "--corpus", "sample:100", *SETTINGS]
    assert main(command) == 0
    capsys.readouterr()
    assert main(command) == 0  # there is nothing left to do
    table, runs = capsys.readouterr().out, list_runs(Path("runs"))
    assert {run.seed for run in runs} == {1337, 1338} and len(runs) == 2
    assert all(run.name in table for run in runs) and table.count("done") == 2


class Rows(Overview):
    """What a user sees; calls `at_step` with the facts of the first job that has come to a step."""

    def __init__(self, step: int = 0, at_step: Callable[[dict[str, Any]], None] = lambda facts: None) -> None:
        self.step, self.at_step, self.is_over = step, at_step, False
        self.messages: list[str] = []
        self.seen: list[Row] = []

    def message(self, text: str) -> None:
        self.messages.append(text)

    def show(self, rows: list[Row]) -> None:
        self.seen += rows
        for row in rows:
            if self.step and not self.is_over and row.facts.get("step", 0) >= self.step:
                self.is_over = True
                self.at_step(row.facts)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes on the loopback address, with a processor each."""
    ray = pytest.importorskip("ray", reason="Ray is not installed: pip install -c constraints.txt -e '.[dev]'")
    from ray.cluster_utils import Cluster

    made = Cluster(initialize_head=True, head_node_args={"num_cpus": 1, "include_dashboard": False})
    made.add_node(num_cpus=1)
    ray.init(made.address, log_to_driver=False, logging_level="error")
    yield made
    ray.shutdown()
    made.shutdown()


def run_all(jobs: list[Job], root: Path, watcher: Watcher, count: int | None = None) -> list[Planned]:
    return execute(plan(jobs, root, NOWHERE), root, watcher, workers=Workers(count))


@pytest.mark.parametrize("shares", [True, False], ids=["shared folder", "none"])
def test_side_by_side_is_one_after_the_other(
    cluster: Any, shares: bool, tiny: Experiment, finished_run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One job of three was stopped before, and one is named twice."""
    if not shares:
        monkeypatch.setattr(workers, "_leave_probe", lambda root: "not there")
    jobs = jobs_for("tiny", tiny, 2, proxy=False)
    name = stopped(jobs[0], tmp_path).name
    done = run_all([*jobs, jobs[0]], tmp_path, Rows())
    assert [one.state for one in done] == ["done"] * 3 and done[0].result == done[2].result
    assert {run.name for run in list_runs(tmp_path)} >= {name} and len(list_runs(tmp_path)) == 2
    serial = tmp_path / "serial"
    execute(plan(jobs[1:], serial, NOWHERE), serial, Watcher())
    expected = {1337: (finished_run.path / layout.MODEL).read_bytes(), **weights(serial)}
    assert weights(tmp_path) == expected


@pytest.mark.long
def test_a_users_recipe_and_its_failure_come_back(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A loss that is not finite fails one run alone; titles that are not there stop all."""
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text(
        "from sevenepochs.learning.optim import SGD\n"
        "from sevenepochs.recipes.story import adamw\n\n\n"
        "class Steep(SGD):\n    pass\n\n\n"
        "def mine():\n"
        "    others = {'training.grad_clip': 'none', 'model.init.std': 10.0}\n"
        "    return adamw().replace_all({'optimizer': Steep(lr=1000.0), **others})\n"
    )
    options = ["--corpus", "sample:200", *SETTINGS, "--set", "training.epochs=1", "--workers", "2"]
    assert main(["ladder", "adamw", "mine.py:mine", *options, "--json"]) == 0
    printed = capsys.readouterr()
    assert [bool(rung["n"]) for rung in json.loads(printed.out)] == [True, False]
    assert {run.recipe: run.state for run in list_runs(Path("runs"))} == {"adamw": "complete", "mine.py:mine": "failed"}


@pytest.mark.long
def test_a_search_on_workers_counts_its_trials(
    cluster: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("optuna")
    monkeypatch.chdir(tmp_path)
    options = ["--corpus", "sample:200", *SETTINGS, "--vary", "optimizer.lr=1e-4..1e-2:log", "--workers", "2"]
    assert main(["search", "adamw", *options, "--trials", "3", "--json"]) == 0
    trials = json.loads(capsys.readouterr().out)["trials"]
    assert sorted(trial["number"] for trial in trials) == [0, 1, 2] and all(trial["loss"] for trial in trials)
    assert len({run.path for run in list_runs(Path("searches/adamw"))}) == 3


@pytest.mark.long
@pytest.mark.parametrize("shares", [True, False], ids=["shared folder", "none"])
def test_a_worker_that_is_killed(
    cluster: Any, shares: bool, slow: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not shares:
        monkeypatch.setattr(workers, "_leave_probe", lambda root: "not there")
    [job] = jobs_for("slow", slow, 1, proxy=False)
    rows = Rows(10, lambda facts: os.kill(facts["pid"], signal.SIGKILL))
    [done] = run_all([job], tmp_path / "killed", rows)
    assert done.state == "done" and rows.is_over
    assert any("started again from its last checkpoint" in message for message in rows.messages)
    [run] = list_runs(tmp_path / "killed")
    execute(plan([job], tmp_path, NOWHERE), tmp_path, Watcher())
    assert weights(tmp_path) == weights(tmp_path / "killed")
    steps = [row["step"] for row in run.training_curve()]
    assert steps == sorted(set(steps))


@pytest.mark.long
def test_ctrl_c_saves_all_and_the_same_call_goes_on(cluster: Any, slow: Experiment, tmp_path: Path) -> None:
    jobs = jobs_for("slow", slow, 3, proxy=False)
    rows = Rows(5, lambda facts: os.kill(os.getpid(), signal.SIGINT))
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_all(jobs, tmp_path, rows)
    finally:
        signal.signal(signal.SIGINT, before)
    begun = list_runs(tmp_path)
    assert 1 <= len(begun) <= 2 and all(run.state == "interrupted" for run in begun)
    assert any(run.load_checkpoint()[1]["step"] >= 5 for run in begun)
    assert all(one.state == "done" for one in run_all(jobs, tmp_path, Rows())) and len(list_runs(tmp_path)) == 3


@pytest.mark.long
def test_a_job_that_another_program_runs_is_left_alone(
    cluster: Any, tiny: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from sevenepochs.campaign.jobs import LOCKS, lock_name

    monkeypatch.setattr(workers, "_PATIENCE_SECONDS", 2.0)
    [job] = jobs_for("tiny", tiny, 1, proxy=False)
    (tmp_path / LOCKS).mkdir()
    with another_process_holds(tmp_path / LOCKS / lock_name(job)):
        [one] = run_all([job], tmp_path, Rows())
    assert one.state == "running" and not list_runs(tmp_path)


@contextlib.contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A file system of 1 MB."""
    folder.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", str(folder)], capture_output=True).returncode:
        pytest.skip("a small disk is mounted by root alone")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@pytest.mark.long
@pytest.mark.parametrize("shares", [True, False], ids=["shared folder", "none"])
def test_a_node_that_dies_and_a_node_with_a_full_disk(
    cluster: Any, shares: bool, slow: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The nodes that are left take the jobs over."""
    if not shares:
        monkeypatch.setattr(workers, "_leave_probe", lambda root: "not there")
    jobs = jobs_for("slow", slow, 2, proxy=False)
    with small_disk(tmp_path / "small") as small:
        dies = cluster.add_node(num_cpus=1)
        full = cluster.add_node(num_cpus=1, env_vars={"TMPDIR": str(small)})
        (small / "filled").write_bytes(b"x" * 1_000_000)
        killed = []

        def kill(facts: dict[str, Any]) -> None:
            killed.append(facts)
            cluster.remove_node(dies, allow_graceful=False)

        rows = Rows(10, kill)
        done = run_all([*jobs, *jobs_for("more", slow, 2, proxy=False)], tmp_path / "cluster", rows, 4)
        cluster.remove_node(full)
    assert [one.state for one in done] == ["done"] * 4 and killed
    assert any("started again" in message for message in rows.messages)
    assert shares or any("disk full" in message for message in rows.messages)
    execute(plan(jobs, tmp_path, NOWHERE), tmp_path, Watcher())
    for run in list_runs(tmp_path / "cluster"):
        if run.recipe == "slow":
            assert (run.path / layout.MODEL).read_bytes() == weights(tmp_path)[run.seed]


DRIVER = """
import json, sys
from pathlib import Path
from sevenepochs.campaign.jobs import execute, jobs_for, plan
from sevenepochs.campaign.workers import Workers
from sevenepochs.experiment import Experiment
from sevenepochs.training.hooks import Watcher
root, address = Path(sys.argv[1]), sys.argv[2]
jobs = jobs_for("slow", Experiment.from_dict(json.load(sys.stdin)), 2, proxy=False)
done = execute(plan(jobs, root, Path("nowhere")), root, Watcher(), workers=Workers(2, address or None))
print(*(one.state for one in done))
"""


@pytest.mark.long
@pytest.mark.parametrize("is_cluster", [True, False], ids=["cluster", "this machine"])
def test_a_driver_that_is_killed_and_started_again(
    cluster: Any, is_cluster: bool, slow: Experiment, tmp_path: Path
) -> None:
    command = [sys.executable, "-c", DRIVER, str(tmp_path / "killed"), cluster.address if is_cluster else ""]
    source = str(Path(sevenepochs.__file__).parents[1])
    options: dict[str, Any] = {"env": {**os.environ, "PYTHONPATH": source, "OMP_NUM_THREADS": "1"}, "text": True}
    with subprocess.Popen(command, stdin=subprocess.PIPE, **options) as driver:
        assert driver.stdin is not None
        json.dump(slow.to_dict(), driver.stdin)
        driver.stdin.close()
        deadline = time.monotonic() + 120
        while not any(run.has_checkpoint() for run in list_runs(tmp_path / "killed")):
            assert driver.poll() is None and time.monotonic() < deadline
            time.sleep(0.2)
        driver.kill()
    assert not all(run.state == "complete" for run in list_runs(tmp_path / "killed"))
    done = subprocess.run(command, input=json.dumps(slow.to_dict()), stdout=subprocess.PIPE, timeout=300, **options)
    assert done.returncode == 0 and done.stdout.split() == ["done", "done"]
    jobs = jobs_for("slow", slow, 2, proxy=False)
    execute(plan(jobs, tmp_path, NOWHERE), tmp_path, Watcher())
    assert weights(tmp_path / "killed") == weights(tmp_path) and len(list_runs(tmp_path / "killed")) == 2
