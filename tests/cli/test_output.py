"""Output that cannot be written: training goes on, other verbs end with one line."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sevenepochs.store.run import Run, list_runs

SMALL = [
    *("--corpus", "sample", "--set", "corpus.n_titles=40", "--set", "tokenizer.vocab_size=300"),
    *("--set", "batches.batch_size=8", "--set", "batches.block_size=32", "--set", "model.n_layer=1"),
    *("--set", "model.n_head=2", "--set", "model.d_model=16", "--set", "training.device=cpu"),
]
FULL = Path("/dev/full")


def sevenepochs(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "sevenepochs", *arguments]


@pytest.mark.skipif(not FULL.exists(), reason="Linux has /dev/full")
@pytest.mark.parametrize("stream", ["stdout", "stderr", "both"])
def test_training_goes_on_when_its_log_is_on_a_full_disk(stream: str, tmp_path: Path) -> None:
    with FULL.open("w") as full:
        streams = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        streams |= dict.fromkeys(streams if stream == "both" else [stream], full.fileno())
        done = subprocess.run(sevenepochs("train", "adamw", *SMALL, "--runs", str(tmp_path)), text=True, **streams)
    assert done.returncode == 0 and list_runs(tmp_path)[0].state == "complete"
    if stream == "stdout":
        assert len(done.stderr.splitlines()) == 1 and "No space left" in done.stderr


def test_training_goes_on_when_its_reader_is_gone(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command = sevenepochs("train", "adamw", *SMALL, "--runs", str(tmp_path))
    done = subprocess.run(command, stdout=writing, stderr=subprocess.PIPE, text=True)
    os.close(writing)
    assert done.returncode == 0 and list_runs(tmp_path)[0].state == "complete"
    assert "Traceback" not in done.stderr and "Exception ignored" not in done.stderr


@pytest.mark.skipif(not FULL.exists(), reason="Linux has /dev/full")
@pytest.mark.parametrize("arguments", [["list"], ["list", "--json"], ["leaderboard", "RUN"]])
def test_other_verbs_say_in_one_line_that_their_output_is_lost(arguments: list[str], finished_run: Run) -> None:
    words = [str(finished_run.path) if word == "RUN" else word for word in arguments]
    with FULL.open("w") as full:
        done = subprocess.run(sevenepochs(*words), stdout=full, stderr=subprocess.PIPE, text=True)
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1 and done.stderr.startswith("error: the output cannot be written")
