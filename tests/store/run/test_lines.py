"""Metrics and the challenge's log, a line at a time."""

import json
import os
import re

import numpy as np
import pytest

from sevenepochs.errors import UserError
from sevenepochs.store.run import Run, RunWriter, layout
from tests.store.run.conftest import TENSORS


def log_steps(writer, steps):
    for step in steps:
        writer.append_metric({"step": step, "train_loss_nats_per_token": 9.0 / step})
        writer.append_mainrun("training_step", step=step, max_steps=9, loss=9.0 / step, elapsed_time=0.5, prnt=False)
        if step % 2 == 0:
            writer.append_metric({"step": step, "exact_val_loss": 2.0 / step})


def test_metrics_and_curves(writer):
    log_steps(writer, range(1, 5))
    run = Run(writer.path)
    assert [row["step"] for row in run.training_curve()] == [1, 2, 3, 4]
    assert run.evaluations() == [{"step": 2, "exact_val_loss": 1.0}, {"step": 4, "exact_val_loss": 0.5}]
    with pytest.raises(AssertionError, match="step"):
        writer.append_metric({"loss": 1.0})


def test_mainrun_log_has_the_challenge_format(writer):
    writer.append_mainrun("device_info", device="cpu")
    writer.append_mainrun("training_step", step=1, max_steps=2, loss=float("nan"), elapsed_time=0.5, prnt=False)
    first, second = (writer.path / "mainrun.log").read_text().splitlines()
    assert re.fullmatch(r'\{"event": "device_info", "timestamp": \d+\.\d+, "device": "cpu"\}', first)
    assert list(json.loads(second)) == ["event", "timestamp", "step", "max_steps", "loss", "elapsed_time", "prnt"]


def test_non_finite_metrics_are_null(writer):
    writer.append_metric({"step": 1, "train_loss_nats_per_token": np.float64("inf"), "grad_norm": float("nan")})
    assert list(Run(writer.path).metrics()) == [{"step": 1, "train_loss_nats_per_token": None, "grad_norm": None}]


def test_a_truncated_last_line_is_left_out_and_an_earlier_one_is_named(writer):
    log_steps(writer, [1, 2])
    path = writer.path / layout.METRICS
    whole = path.read_bytes()
    for cut in range(1, len(whole)):
        path.write_bytes(whole[:cut])
        rows = list(Run(writer.path).metrics())
        assert len(rows) in (whole[:cut].count(b"\n"), whole[:cut].count(b"\n") + 1)
    path.write_bytes(whole.replace(b'"step"', b"step", 1))
    with pytest.raises(UserError, match=r"metrics.jsonl of run .*, line 1, is corrupt"):
        list(Run(writer.path).metrics())


def test_truncate_metrics_drops_what_the_resumed_run_logs_again(writer):
    writer.append_mainrun("device_info", device="cpu")
    log_steps(writer, range(1, 6))
    with open(writer.path / layout.MAINRUN_LOG, "a") as file:
        file.write('{"event": "training_st')
    writer.truncate_metrics(3)
    assert [row["step"] for row in Run(writer.path).metrics()] == [1, 2, 2, 3]
    events = [json.loads(line) for line in (writer.path / layout.MAINRUN_LOG).read_text().splitlines()]
    assert [event.get("step") for event in events] == [None, 1, 2, 3]
    log_steps(writer, [4])
    assert [row["step"] for row in Run(writer.path).metrics()] == [1, 2, 2, 3, 4, 4]


def test_reopening_clears_leftovers_so_that_the_next_line_stands_alone(writer):
    log_steps(writer, [1])
    with open(writer.path / layout.METRICS, "a") as file:
        file.write('{"step": 2, "train_lo')
    (writer.path / ".summary.json.1.tmp").write_text("{")
    (writer.path / layout.CHECKPOINT_NEW).mkdir()
    writer.close()
    with RunWriter.reopen(writer.path) as again:
        log_steps(again, [2])
    assert [row["step"] for row in Run(writer.path).training_curve()] == [1, 2]
    assert {path.name for path in writer.path.iterdir()} == {
        layout.RUN,
        layout.LOCK,
        layout.METRICS,
        layout.MAINRUN_LOG,
    }


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full on this system")
def test_disk_full_while_appending(writer):
    writer.save_checkpoint(TENSORS, {"step": 1})
    (writer.path / layout.METRICS).symlink_to("/dev/full")
    with pytest.raises(UserError, match=rf"disk full: .*metrics.jsonl.*resume {writer.path}"):
        writer.append_metric({"step": 2})
    assert Run(writer.path).load_checkpoint()[1] == {"step": 1}
