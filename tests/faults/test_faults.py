"""Nothing is lost and nothing is believed that was damaged: kills, torn files, full disks, moved and copied folders.

FAULT_KILLS and FAULT_TORN set how many (200 and 1,000). Figures: docs/reliability.md.
"""

import collections
import contextlib
import io
import json
import os
import random
import resource
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sevenepochs.campaign.jobs import Job, execute, plan
from sevenepochs.cli.main import main
from sevenepochs.errors import UserError
from sevenepochs.experiment import Experiment
from sevenepochs.store.publishing import publish
from sevenepochs.store.results import result_of
from sevenepochs.store.run import Run, layout, list_runs
from sevenepochs.training.hooks import Watcher
from sevenepochs.training.interrupt import Interrupted
from sevenepochs.training.trainer import resume_training, run_training
from tests.campaign.test_jobs import StopAt
from tests.faults.kills import DONE, exit_of, in_child, outcome, small, work

pytestmark = pytest.mark.long
ROOT = Path(__file__).parents[2]
KILLS, TORN = (int(os.environ.get(name, n)) for name, n in (("FAULT_KILLS", 200), ("FAULT_TORN", 1000)))


@pytest.fixture(scope="module")
def job() -> Experiment:
    return small()


@pytest.fixture(scope="module")
def whole(job: Experiment, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, str]]:
    """The job done without a fault: its folder and `outcome`."""
    root = tmp_path_factory.mktemp("whole")
    assert work(root, job) == DONE
    return root, outcome(root)


def stopped(job: Experiment, root: Path, step: int) -> Run:
    with pytest.raises(Interrupted):
        execute(plan([Job("small", job)], root / "runs", root), root / "runs", StopAt(step))
    [run] = list_runs(root / "runs")
    return run


def test_kills(capsys: pytest.CaptureFixture[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.kills", str(KILLS)], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": f"{ROOT / 'src'}{os.pathsep}{ROOT}"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout.splitlines()[-1])
    with capsys.disabled():
        print(f"\nkills: {found}")
    assert found["kills"] >= KILLS and found["results that differ"] == 0 and "Traceback" not in done.stderr


def damage(file: Path, chance: random.Random, *, flips: bool) -> str:
    """Cut the file at a random place, put zeros from there on, or flip one bit; say what was done."""
    content = bytearray(file.read_bytes())
    at = chance.randrange(len(content) + 1)
    kind = chance.choice(("cut", "zeros", "flip") if flips else ("cut", "zeros"))
    if kind == "flip" and content:
        content[min(at, len(content) - 1)] ^= 1 << chance.randrange(8)
    else:
        content[at:] = b"" if kind == "cut" else bytes(len(content) - at)
    changed = bytes(content) != file.read_bytes()
    file.write_bytes(content)
    return kind if changed else "unchanged"


def told(run: Run, place: Path) -> dict[str, Any]:
    """Every figure that a run gives away."""
    published = publish(run, place)
    files = {path.name: path.read_bytes() for path in published.rglob("*") if path.is_file()}
    shutil.rmtree(place)
    return {"facts": result_of(run).facts, "weights": run.load_model_tensors().keys(), **files}


def test_torn_files(
    job: Experiment, whole: tuple[Path, dict[str, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each is recognised, by one line, or harmless: what is told or trained then is what it was."""
    chance = random.Random(TORN)
    complete, (interrupted) = list_runs(whole[0] / "runs")[0], stopped(job, tmp_path / "stopped", 12)
    expected, seen = told(complete, tmp_path / "results"), collections.Counter[str]()
    for number in range(TORN):
        original = interrupted if number % 4 == 0 else complete
        root = tmp_path / "torn" / "runs"
        copy = Path(shutil.copytree(original.path, root / original.name))
        file = chance.choice([path for path in sorted(copy.rglob("*")) if path.is_file()])
        name = file.relative_to(copy).as_posix()
        # answers of analyze hold no hash, and can be made again: only what is no JSON any more is recognised
        kind = damage(file, chance, flips=not name.startswith(layout.ANALYSIS))
        what = f"{original.state}: {kind} {name} (number {number})"
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                assert main(["runs", "--runs", str(root)]) in (0, 2), what
            if original is complete:
                assert told(Run(copy), tmp_path / "torn" / "results") == expected, what
            else:
                run = Run(copy)
                resume_training(run, Experiment.from_dict(run.config))
                publish(run, root.parent / "results")
                found = outcome(root.parent)
                assert found == {name: whole[1][name] for name in found}, what
            seen["harmless"] += 1
        except UserError as error:
            assert "\n" not in str(error), what
            seen["recognised"] += 1
        except AssertionError:
            raise
        except Exception as error:
            raise AssertionError(f"{what}: {type(error).__name__}: {error}") from error
        seen[kind] += 1
        shutil.rmtree(tmp_path / "torn")
    with capsys.disabled():
        print(f"\ntorn files: {TORN}, {dict(seen)}")


def limited(action: Callable[[], int], size_bytes: int) -> Callable[[], int]:
    """The action with a limit on the size of files, in a process of its own."""

    def act() -> int:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, size_bytes))
        return action()

    return act


def test_files_that_may_not_grow(
    job: Experiment, whole: tuple[Path, dict[str, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The same job under limits from nothing to all that it needs, in one folder."""
    largest = max(path.stat().st_size for path in whole[0].rglob("*") if path.is_file())
    codes = []
    for share in (0, 0.02, 0.1, 0.3, 0.6, 0.99, 2.0, 3.0, 10.0):  # a checkpoint is four times the weights
        child = in_child(limited(lambda: work(tmp_path, job), int(share * largest)))
        codes.append(exit_of(child))
    with capsys.disabled():
        print(f"\nlimits on file sizes: exit codes {codes}")
    assert codes[-1] == DONE and set(codes) <= {DONE, 3} and outcome(tmp_path) == whole[1]


@contextlib.contextmanager
def mounted(folder: Path, *options: str) -> Iterator[None]:
    folder.mkdir(exist_ok=True)
    if subprocess.run(["mount", *options, str(folder)], capture_output=True).returncode:
        pytest.skip("only root mounts file systems")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_disk_that_is_full(
    job: Experiment, whole: tuple[Path, dict[str, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place, codes = tmp_path / "disk", []
    with mounted(place, "-t", "tmpfs", "-o", "size=64k", "none"):
        for size in (128, 256, 384, 512, 768, 1024, 2048, 8192):
            codes.append(exit_of(in_child(lambda: work(place, job))))
            subprocess.run(["mount", "-o", f"remount,size={size}k", str(place)], check=True)
        codes.append(exit_of(in_child(lambda: work(place, job))))
        found = outcome(place)
    with capsys.disabled():
        print(f"\nfull disks: exit codes {codes}")
    assert codes[-1] == DONE and codes[0] == 3 and set(codes) <= {DONE, 3} and found == whole[1]


def test_a_folder_that_moves_or_may_only_be_read(
    job: Experiment, whole: tuple[Path, dict[str, str]], tmp_path: Path
) -> None:
    stopped(job, tmp_path / "here", 5)
    (tmp_path / "here").rename(tmp_path / "there")
    assert work(tmp_path / "there", job) == DONE and outcome(tmp_path / "there") == whole[1]
    stopped(job, tmp_path / "read", 5)
    with mounted(tmp_path / "only", "--bind", "-o", "ro", str(tmp_path / "read")):
        [run] = list_runs(tmp_path / "only" / "runs")
        with pytest.raises(UserError, match="cannot write"):
            resume_training(run, Experiment.from_dict(run.config))
        assert main(["runs", "--runs", str(run.path.parent)]) == 0
    with mounted(tmp_path / "only", "--bind", "-o", "ro", str(whole[0])):
        [run] = list_runs(tmp_path / "only" / "runs")
        assert told(run, tmp_path / "results") == told(list_runs(whole[0] / "runs")[0], tmp_path / "results")


def test_copies_of_a_run_that_is_being_written(
    job: Experiment, whole: tuple[Path, dict[str, str]], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A copy goes on to the same end, or is refused by one line."""
    copies, seen = [], collections.Counter[str]()
    training = threading.Thread(target=run_training, args=(job, "small", tmp_path / "runs", Watcher()))
    training.start()
    while training.is_alive():
        time.sleep(0.01)
        for run in list_runs(tmp_path / "runs"):
            copy = tmp_path / f"copy{len(copies)}" / "runs" / run.name
            with contextlib.suppress(shutil.Error, OSError):  # a file that was there is gone: cp says so as well
                shutil.copytree(run.path, copy)
            if copy.exists():
                copies.append(copy)
    training.join()
    for copy in copies[:: max(1, len(copies) // 10)]:
        try:
            run = Run(copy)
            if run.state != "complete":
                resume_training(run, Experiment.from_dict(run.config))
            publish(run, copy.parents[1] / "results")
        except UserError:
            seen["refused"] += 1
            continue
        weights = (copy / layout.MODEL).read_bytes()
        assert weights == (list_runs(whole[0] / "runs")[0].path / layout.MODEL).read_bytes()
        seen["equal"] += 1
    with capsys.disabled():
        print(f"\ncopies while running: {dict(seen)}")
    assert seen["equal"]
