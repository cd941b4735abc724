"""Two processes train as one does, to rounding, and leave one run folder."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import sevenepochs
from sevenepochs.cli.main import guarded, main
from sevenepochs.errors import UserError
from sevenepochs.model.dropout import Share, keep_mask
from sevenepochs.store.run import Run, list_runs
from sevenepochs.training.ranks import Ranks

SETTINGS = {
    "tokenizer.vocab_size": 300,
    "batches.batch_size": 8,
    "batches.block_size": 32,
    "model.n_layer": 1,
    "model.n_head": 2,
    "model.d_model": 16,
    "training.device": "cpu",
    "training.precision": "fp32",
    "training.compile": "off",
}
TORCHRUN = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
WORDS = [word for key, value in SETTINGS.items() for word in ("--set", f"{key}={value}")]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(Path(sevenepochs.__file__).parents[1]), "OMP_NUM_THREADS": "1"}


def wait_for(condition: Callable[[], bool], seconds: float = 400) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.2)


def sevenepochs_command(*arguments: str, launcher: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *launcher, "-m", "sevenepochs", *arguments],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=300,
    )


def curve(run: Run) -> list[float]:
    return [row[key] for row in run.metrics() for key in ("train_loss_nats_per_token", "exact_val_loss") if key in row]


@pytest.mark.parametrize("copies", [1, 2])
def test_a_share_of_the_rows_has_its_share_of_the_mask(copies: int) -> None:
    key = torch.tensor([123, -456], dtype=torch.int32)
    whole = keep_mask(torch.ones(copies * 6, 3, 5), key, 0.4).view(copies, 6, 3, 5)
    for first in (0, 2, 4):
        mine = keep_mask(torch.ones(copies * 2, 3, 5), key, 0.4, Share(first, 2, 6)).view(copies, 2, 3, 5)
        assert torch.equal(mine, whole[:, first : first + 2])


def test_shares_and_weights() -> None:
    y_BT = np.array([[1, 2], [3, -100], [-100, -100], [4, 5]])
    ranks = [Ranks(rank, 2) for rank in range(2)]
    assert np.array_equal(np.concatenate([r.share(y_BT) for r in ranks]), y_BT)
    assert [r.loss_weights(y_BT) for r in ranks] == [[3 * 2 / 5], [2 * 2 / 5]]
    assert [r.loss_weights(y_BT, 2) for r in ranks] == [[2 * 2 / 5, 1 * 2 / 5], [0, 2 * 2 / 5]]
    with pytest.raises(UserError, match="cannot be shared equally by 3 processes"):
        Ranks(0, 3).check_divides(64)


def test_more_processes_than_gpus_train_on_the_cpu_or_not_at_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.cuda.device_count", lambda: 1)
    monkeypatch.setattr(Ranks, "any", lambda self, flag: flag)
    first, second = Ranks(0, 2, 0), Ranks(1, 2, 1)
    Ranks().check_devices("mps")
    first.check_devices("cuda")
    second.check_devices("cpu")
    with pytest.raises(UserError, match=r"2 processes and 1 GPUs: .* --nproc-per-node.*device=cpu"):
        second.check_devices("cuda")
    monkeypatch.setattr(Ranks, "any", lambda self, flag: True)
    with pytest.raises(UserError, match="2 processes and 1 GPUs"):
        first.check_devices("cuda")  # also in the process that prints
    with pytest.raises(UserError, match=r"2 processes and one GPU: .*torchrun"):
        first.check_devices("mps")


def test_two_processes_train_as_one(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = ["adamw", "--corpus", "sample:60", *WORDS]
    assert main(["train", *recipe, "--runs", str(tmp_path / "one")]) == 0
    capsys.readouterr()
    done = sevenepochs_command(
        "train", *recipe, "--set", "training.micro_batches=2", "--runs", str(tmp_path / "two"), launcher=TORCHRUN
    )
    assert done.returncode == 0, done.stderr
    assert "2 processes" in done.stdout and done.stdout.count("certificate: clean") == 1
    [one], [two] = list_runs(tmp_path / "one"), list_runs(tmp_path / "two")
    assert two.state == "complete" and two.certificate is not None and two.certificate["clean"]
    assert curve(two) == pytest.approx(curve(one), abs=2e-5)
    assert (two.environment["run"]["processes"], two.environment["run"]["micro_batches"]) == (2, 2)
    assert one.summary is not None and two.summary is not None
    assert two.summary["figures"] == pytest.approx(one.summary["figures"], abs=2e-5)


def test_rows_that_cannot_be_shared_are_refused_in_one_line(tmp_path: Path) -> None:
    done = sevenepochs_command(
        "train", "adamw", "--corpus", "sample:60", *WORDS, "--set", "batches.batch_size=7",
        "--runs", str(tmp_path / "runs"), launcher=TORCHRUN,
    )  # fmt: skip
    assert done.returncode != 0
    assert (
        done.stderr.count("\nerror: ") + done.stderr.startswith("error: ") == 1
        and "cannot be shared equally" in done.stderr
    )
    assert not (tmp_path / "runs").exists()


def test_a_mistake_is_printed_once_also_when_the_silent_process_fails_first(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail() -> None:
        raise UserError("what is wrong")

    slept: list[float] = []
    monkeypatch.setattr("time.sleep", slept.append)
    for rank, error in (("1", ""), ("0", "error: what is wrong\n")):
        monkeypatch.setenv("RANK", rank)
        assert guarded(fail) == 2
        assert capsys.readouterr().err == error
    assert len(slept) == 1 and slept[0] > 1


@pytest.mark.long
def test_interrupted_and_resumed(tmp_path: Path) -> None:
    recipe = ["adamw", "--corpus", "sample:3000", *WORDS, "--runs", str(tmp_path)]
    going = subprocess.Popen(
        [sys.executable, *TORCHRUN, "-m", "sevenepochs", "train", *recipe],
        env=environment(),
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: any(len(run.training_curve()) > 5 for run in list_runs(tmp_path)))
    os.killpg(going.pid, signal.SIGINT)
    _, error = going.communicate(timeout=120)
    [run] = list_runs(tmp_path)
    assert run.state == "interrupted" and run.has_checkpoint(), error
    done = sevenepochs_command("resume", str(run.path), "--runs", str(tmp_path), launcher=TORCHRUN)
    assert done.returncode == 0, done.stderr
    assert run.state == "complete"
    alone = tmp_path / "alone"
    assert main(["train", *recipe[:-1], str(alone)]) == 0
    assert curve(run) == pytest.approx(curve(list_runs(alone)[0]), abs=2e-4)
