"""States, and one writer at a time."""

import os
import platform
import subprocess
import threading
import time

import pytest
from filelock import FileLock

from sevenepochs.errors import UserError
from sevenepochs.store.run import Run, RunWriter, layout, lock
from tests.store.run.conftest import TENSORS, in_another_process, no_space


def test_states(writer):
    run = Run(writer.path)
    assert run.state == "running"
    writer.close()
    writer.close()
    assert run.state == "interrupted"
    with RunWriter.reopen(writer.path) as again:
        assert run.state == "running"
        again.fail("loss is nan at step 12", step=12)
    assert run.state == "failed" and run.failure == {"message": "loss is nan at step 12", "step": 12}
    with RunWriter.reopen(writer.path) as again:
        assert run.state == "running" and run.failure is not None  # not before it really goes on
        again.forget_failure()
        assert run.failure is None
        again.save_checkpoint(TENSORS, {"step": 12})
        again.finish({"exact_val_loss": 1.25})
    assert run.state == "complete" and run.summary == {"exact_val_loss": 1.25}
    assert not run.has_checkpoint()  # nobody resumes a complete run
    with pytest.raises(UserError, match="complete"):
        RunWriter.reopen(writer.path)


def test_disk_full_at_the_end_leaves_no_summary(writer, monkeypatch):
    writer.save_checkpoint(TENSORS, {"step": 9})
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(UserError, match=f"disk full: .*resume {writer.path}"):
        writer.finish({"exact_val_loss": 1.0})
    writer.close()
    assert Run(writer.path).summary is None and Run(writer.path).state == "interrupted"


HOLD = """
import sys
from pathlib import Path
from sevenepochs.store.run import RunWriter
writer = RunWriter.reopen(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_two_processes_cannot_write_one_run_and_a_dead_ones_lock_is_taken_over(writer):
    writer.close()
    process = in_another_process(HOLD, writer.path, stdin=subprocess.PIPE)
    assert process.stdout.readline() == "held\n"
    with pytest.raises(UserError, match=f"being written .*{process.pid}"):
        RunWriter.reopen(writer.path)
    process.kill()
    deadline = time.monotonic() + 10
    while Run(writer.path).state == "running" and time.monotonic() < deadline:  # a zombie counts as dead
        time.sleep(0.01)
    with RunWriter.reopen(writer.path):
        assert Run(writer.path).state == "running"
    process.communicate()


def test_what_stands_in_a_lock_does_not_hold_it(writer):
    writer.close()
    file = writer.path / layout.LOCK
    for content in (f'\0{{"pid": {os.getpid()}, "host": "{platform.node()}"}}\n', "", "{", "[1]", '{"pid": "x"}'):
        file.write_text(content)
        assert not lock.is_held(file) and Run(writer.path).state == "interrupted"
    file.unlink()
    assert Run(writer.path).state == "interrupted" and not file.exists()  # a look makes no file


def in_a_thread(function):
    thread = threading.Thread(target=function)
    thread.start()
    return thread


def test_a_look_does_not_keep_a_writer_out(writer):
    """It holds the lock for a moment."""
    writer.close()
    file, is_taken = writer.path / layout.LOCK, threading.Event()

    def look():
        with FileLock(file, thread_local=False):
            is_taken.set()
            time.sleep(0.2)

    looking = in_a_thread(look)
    is_taken.wait()
    with RunWriter.reopen(writer.path):
        looking.join()
        assert Run(writer.path).state == "running"


def test_many_may_look_at_once(writer):
    writer.close()
    states = []
    threads = [in_a_thread(lambda: states.extend(Run(writer.path).state for _ in range(20))) for _ in range(4)]
    for thread in threads:
        thread.join()
    assert set(states) == {"interrupted"} and len(states) == 80


def test_a_holder_on_another_machine_is_named_with_it(tmp_path, monkeypatch):
    file = tmp_path / "x.lock"
    monkeypatch.setattr(lock, "_PATIENCE_SECONDS", 0.05)
    for content, holder in (
        (b'\0{"pid": 7, "host": "elsewhere.example"}\nrest', "process 7 on elsewhere.example"),
        (f'\0{{"pid": 7, "host": "{platform.node()}"}}\n'.encode(), "process 7"),
        (b"", "another process"),
    ):
        file.write_bytes(content)
        held, done = threading.Event(), threading.Event()

        def hold(held=held, done=done):
            with FileLock(file, thread_local=False):
                held.set()
                done.wait()

        holding = in_a_thread(hold)
        held.wait()
        try:
            with pytest.raises(BlockingIOError, match=f"held by {holder}$"):
                lock.Lock(file)
        finally:
            done.set()
            holding.join()


FORK = """
import os, sys
from pathlib import Path
from sevenepochs.store.run import RunWriter
writer = RunWriter.reopen(Path(sys.argv[1]))
if os.fork() == 0:
    writer.close()
    os._exit(0)
os.wait()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows has no fork")
def test_a_fork_does_not_free_the_lock_of_the_process_it_came_from(writer):
    writer.close()
    process = in_another_process(FORK, writer.path, stdin=subprocess.PIPE)
    assert process.stdout.readline() == "held\n"
    assert Run(writer.path).state == "running"
    process.communicate()
    assert Run(writer.path).state == "interrupted"


def test_an_abandoned_writer_of_this_process_does_not_free_its_successors_lock(writer):
    with RunWriter.reopen(writer.path):  # a notebook goes on after a cell that failed
        writer.close()
        assert Run(writer.path).state == "running"
    assert Run(writer.path).state == "interrupted"


def test_a_run_that_was_finished_while_its_lock_was_waited_for_is_left_alone(writer, monkeypatch):
    """Between the look at the folder and the lock, the other process writes the summary and ends."""
    from sevenepochs.store.run import writer as module

    def late(path):
        (path.parent / layout.SUMMARY).write_text("{}")
        return lock.Lock(path)

    writer.append_metric({"step": 1})
    writer.close()
    monkeypatch.setattr(module, "Lock", late)
    with pytest.raises(UserError, match="complete"):
        RunWriter.reopen(writer.path)
    assert list(Run(writer.path).metrics()) == [{"step": 1}] and not lock.is_held(writer.path / layout.LOCK)


def test_a_run_that_cannot_be_reopened_stays_free(writer):
    writer.close()
    (writer.path / layout.METRICS).write_bytes(b'nonsense\n{"step": 1}')
    with pytest.raises(UserError, match="line 1"):
        RunWriter.reopen(writer.path)
    assert Run(writer.path).state == "interrupted"
