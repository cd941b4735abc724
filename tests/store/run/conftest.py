"""A run folder that is being written, and what its tests share."""

import errno
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest

import sevenepochs
from sevenepochs.store.run import RunWriter

NOON = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)
SOURCE = str(Path(sevenepochs.__file__).resolve().parents[1])
TENSORS = {
    "w": np.arange(6, dtype=np.float32).reshape(2, 3),
    "step": np.array(7, dtype=np.int64),
    "empty": np.zeros((0, 3), dtype=np.float32),
    "generator": np.frombuffer(b"\x00\xff\x07", dtype=np.uint8),
}


@pytest.fixture
def root(tmp_path):
    return tmp_path / "runs"


@pytest.fixture
def writer(root):
    with RunWriter.create(root, "adamw", 1337, now=NOON) as writer:
        yield writer


def assert_same(left, right):
    assert left.keys() == right.keys()
    for name in left:
        assert left[name].dtype == right[name].dtype and left[name].shape == right[name].shape
        np.testing.assert_array_equal(left[name], right[name])


def flip(path, at):
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def no_space(*_, **__):
    raise OSError(errno.ENOSPC, "No space left on device")


def in_another_process(code, *arguments, **options):
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": SOURCE}
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment, **options)
