"""Checkpoints: whole or not there."""

import os
import signal
import time

import numpy as np
import pytest
import safetensors.numpy

from sevenepochs.errors import UserError
from sevenepochs.store.run import Run, RunWriter, layout, storage
from tests.store.run.conftest import TENSORS, assert_same, flip, in_another_process, no_space


def test_checkpoint_round_trip_is_exact(writer):
    state = {"step": 3, "pi": 0.1 + 0.2, "worst": float("inf"), "generator": {"state": 2**127 + 1}, "order": [1, 2]}
    writer.save_checkpoint({**TENSORS, "bytes": b"abc"}, state)
    tensors, loaded = Run(writer.path).load_checkpoint()
    assert_same(tensors, {**TENSORS, "bytes": np.frombuffer(b"abc", dtype=np.uint8)})
    assert loaded == state
    writer.save_checkpoint(TENSORS, {"step": 4})
    assert Run(writer.path).load_checkpoint()[1] == {"step": 4}
    assert not (writer.path / layout.CHECKPOINT_OLD).exists() and not (writer.path / layout.CHECKPOINT_NEW).exists()


@pytest.mark.parametrize("name", [layout.CHECKPOINT_TENSORS, layout.CHECKPOINT_STATE])
def test_a_corrupt_checkpoint_is_named(writer, name):
    writer.save_checkpoint(TENSORS, {"step": 31, "lr_multiplier": 0.25})
    path = writer.path / layout.CHECKPOINT / name
    whole = path.read_bytes()
    for at in [*range(0, len(whole), 7), len(whole) - 2]:
        flip(path, at)
        try:
            tensors, state = Run(writer.path).load_checkpoint()
        except UserError as error:
            assert "checkpoint/" in str(error) and writer.name in str(error)
        else:
            assert_same(tensors, TENSORS)  # only white space may change
            assert state == {"step": 31, "lr_multiplier": 0.25} and whole[at : at + 1].isspace()
        path.write_bytes(whole)
    path.unlink()
    with pytest.raises(UserError, match=f"checkpoint/{name} of run .* is missing"):
        Run(writer.path).load_checkpoint()


def test_tensors_and_state_of_different_checkpoints_do_not_mix(writer):
    writer.save_checkpoint(TENSORS, {"step": 1})
    state = (writer.path / layout.CHECKPOINT / layout.CHECKPOINT_STATE).read_bytes()
    writer.save_checkpoint({"w": np.ones(2, dtype=np.float32)}, {"step": 2})
    (writer.path / layout.CHECKPOINT / layout.CHECKPOINT_STATE).write_bytes(state)
    with pytest.raises(UserError, match="another checkpoint"):
        Run(writer.path).load_checkpoint()


def test_no_checkpoint(writer):
    assert not Run(writer.path).has_checkpoint()
    with pytest.raises(UserError, match="no checkpoint yet"):
        Run(writer.path).load_checkpoint()


class Killed(BaseException):
    pass


@pytest.mark.parametrize("die_at", [1, 2, 3, 4])
def test_death_at_every_rename_leaves_a_whole_checkpoint(writer, monkeypatch, die_at):
    writer.save_checkpoint(TENSORS, {"step": 1})
    calls = []

    def dying(rename):
        def renamed(*arguments):
            calls.append(arguments)
            if len(calls) == die_at:
                raise Killed
            rename(*arguments)

        return renamed

    monkeypatch.setattr(os, "replace", dying(os.replace))  # tensors, state
    monkeypatch.setattr(os, "rename", dying(os.rename))  # checkpoint -> old, new -> checkpoint
    with pytest.raises(Killed):
        writer.save_checkpoint({"w": np.ones(2, dtype=np.float32)}, {"step": 2})
    monkeypatch.undo()
    tensors, state = Run(writer.path).load_checkpoint()
    assert state == {"step": 1}
    assert_same(tensors, TENSORS)
    writer.close()
    with RunWriter.reopen(writer.path) as again:
        assert (again.path / layout.CHECKPOINT).is_dir() and Run(again.path).has_checkpoint()
        again.save_checkpoint(TENSORS, {"step": 3})
    assert Run(writer.path).load_checkpoint()[1] == {"step": 3}


@pytest.mark.parametrize("fails", ["tensors", "state"])
def test_disk_full_in_a_checkpoint_keeps_the_one_before(writer, monkeypatch, fails):
    writer.save_checkpoint(TENSORS, {"step": 1})
    if fails == "tensors":  # the library hides the system's error in its own

        def full(*_, **__):
            raise safetensors.SafetensorError("I/O error: No space left on device (os error 28)")

        monkeypatch.setattr(storage, "save_file", full)
    else:
        monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(UserError, match=r"disk full: .*checkpoint .*sevenepochs resume"):
        writer.save_checkpoint(TENSORS, {"step": 2})
    assert Run(writer.path).load_checkpoint()[1] == {"step": 1}
    assert not (writer.path / layout.CHECKPOINT_NEW).exists()


SAVE_FOR_EVER = """
import sys, itertools, numpy as np
from pathlib import Path
from sevenepochs.store.run import RunWriter
writer = RunWriter.reopen(Path(sys.argv[1]))
for step in itertools.count(int(sys.argv[2])):
    writer.append_metric({"step": step, "train_loss_nats_per_token": 1.0})
    writer.save_checkpoint({"w": np.full(200_000, step, dtype=np.int64)}, {"step": step})
    print(step, flush=True)
"""


def test_a_killed_process_always_leaves_one_whole_checkpoint(root):
    writer = RunWriter.create(root, "adamw", 1)
    writer.save_checkpoint({"w": np.zeros(200_000, dtype=np.int64)}, {"step": 0})
    writer.close()
    step = 0
    for attempt in range(5):
        process = in_another_process(SAVE_FOR_EVER, writer.path, step + 1)
        reported = int(process.stdout.readline())
        assert Run(writer.path).state == "running"
        time.sleep(0.003 * attempt)
        process.send_signal(signal.SIGKILL)
        rest = process.communicate()[0].split("\n")
        reported = max([reported, *(int(line) for line in rest[:-1])])
        run = Run(writer.path)
        assert run.state == "interrupted" and run.summary is None
        tensors, state = run.load_checkpoint()
        step = state["step"]
        assert step >= reported  # what was reported as saved is there
        assert tensors["w"].shape == (200_000,) and (tensors["w"] == step).all()
        with RunWriter.reopen(writer.path) as again:
            again.truncate_metrics(step)
        assert [row["step"] for row in Run(writer.path).metrics()] == list(range(1, step + 1))
