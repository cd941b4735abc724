"""Interrupted and resumed is uninterrupted: weights, metrics and figures, to the last bit."""

import errno
import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import sevenepochs
from sevenepochs.cli.main import guarded
from sevenepochs.data.corpus.sample import SampleCorpus
from sevenepochs.errors import UserError
from sevenepochs.experiment import Experiment
from sevenepochs.learning.optim import SGD
from sevenepochs.store.results import result_of
from sevenepochs.store.run import Run, RunWriter, layout, list_runs
from sevenepochs.training import conclude, loop, session
from sevenepochs.training.hooks import Watcher
from sevenepochs.training.interrupt import Interrupted
from sevenepochs.training.trainer import resume_training, run_training

OPTIMIZERS = {"adamw": None, "sgd": SGD(), "momentum": SGD(momentum=0.9)}


class Signals(Watcher):
    """Sends this process a signal after a step."""

    def __init__(self, step, number=signal.SIGINT):
        self.step, self.number, self.n_finished = step, number, 0

    def stepped(self, progress):
        if progress.step == self.step:
            os.kill(os.getpid(), self.number)

    def finished(self):
        self.n_finished += 1


class Messages(Watcher):
    def __init__(self):
        self.messages = []

    def message(self, text):
        self.messages.append(text)


@pytest.fixture(scope="module")
def short(tiny):
    """Four epochs of three steps: the tests need evaluations in between, and steps after them."""
    return tiny.replace_all({"corpus": SampleCorpus(n_titles=40), "model.n_layer": 1, "training.epochs": 4})


@pytest.mark.parametrize(
    ("then", "speaks"),
    [({}, False), ({"micro_batches": None}, False), ({"threads": 99}, True), ({"micro_batches": 8}, True)],
    ids=["as it is", "before there were micro-batches", "other threads", "other parts"],
)
def test_a_resume_on_another_machine_says_so(short, tmp_path, monkeypatch, then, speaks):
    with pytest.raises(Interrupted) as caught:
        run_training(short, "x", tmp_path, Signals(1))
    run, watcher = Run(caught.value.run_path), Messages()
    tensors, state = run.load_checkpoint()
    state["machine"] = {key: value for key, value in {**state["machine"], **then}.items() if value or key not in then}
    monkeypatch.setattr(Run, "load_checkpoint", lambda self: (tensors, state))
    resume_training(run, Experiment.from_dict(run.config), watcher)
    assert any("differ from the checkpoint's" in message for message in watcher.messages) == speaks


@pytest.fixture(scope="module", params=OPTIMIZERS)
def uninterrupted(request, short, tmp_path_factory, outcome):
    optimizer = OPTIMIZERS[request.param]
    experiment = short if optimizer is None else short.replace("optimizer", optimizer)
    run = run_training(experiment, request.param, tmp_path_factory.mktemp("runs"))
    return experiment, run.summary["n_steps"], outcome(run)


def interrupted_run(experiment, root, watcher):
    with pytest.raises(Interrupted, match="resume with: sevenepochs resume") as caught:
        run_training(experiment, "x", root, watcher)
    run = Run(caught.value.run_path)
    assert run.state == "interrupted" and run.summary is None
    assert not (run.path / layout.MODEL).exists()
    return run


def resumed(run, watcher=None):
    """As the command line does it: from the run folder alone."""
    return resume_training(run, Experiment.from_dict(run.config), watcher)


def assert_same(left, right):
    for name in left:
        assert left[name] == right[name], name


def test_a_rerun_is_bit_identical(uninterrupted, tmp_path, outcome):
    experiment, _, expected = uninterrupted
    assert_same(outcome(run_training(experiment, "again", tmp_path)), expected)


@pytest.mark.parametrize(
    ("place", "number"),
    [("first", signal.SIGINT), ("middle", signal.SIGTERM), ("evaluation", signal.SIGINT), ("last", signal.SIGTERM)],
)
def test_interrupted_and_resumed_is_uninterrupted(uninterrupted, tmp_path, outcome, place, number):
    experiment, n_steps, expected = uninterrupted
    step = {"first": 1, "middle": n_steps // 2 + 1, "evaluation": n_steps // 4, "last": n_steps}[place]
    watcher = Signals(step, number)
    run = interrupted_run(experiment, tmp_path, watcher)
    assert run.load_checkpoint()[1]["step"] == step
    assert watcher.n_finished == 1
    assert_same(outcome(resumed(run)), expected)


def test_interrupted_again_and_again(uninterrupted, tmp_path, outcome):
    experiment, n_steps, expected = uninterrupted
    run = interrupted_run(experiment, tmp_path, Signals(2))
    for step in (3, 5, n_steps - 1):
        with pytest.raises(Interrupted):
            resumed(run, Signals(step, signal.SIGTERM))
    assert_same(outcome(resumed(run)), expected)


def test_a_checkpoint_in_passing_changes_nothing(uninterrupted, tmp_path, outcome):
    experiment, _, expected = uninterrupted
    often = experiment.replace("training.checkpoint_seconds", 0.0)
    assert_same(outcome(run_training(often, "x", tmp_path)), expected)


@pytest.mark.parametrize(
    ("interval", "saved"), [(300.0, [3, 15]), (50.0, [2, 4, 6]), (1e9, [3])], ids=["default", "often", "once"]
)
def test_the_first_checkpoint_comes_after_a_minute_and_the_next_ones_by_the_setting(
    short, tmp_path, monkeypatch, interval, saved
):
    class Steps(Watcher):
        """A clock by which each step takes 25 s."""

        seconds = 0.0

        def stepped(self, progress):
            self.seconds += 25.0

    watcher, steps = Steps(), []
    clock = type("time", (), {"monotonic": staticmethod(lambda: watcher.seconds)})
    monkeypatch.setattr(loop, "time", clock)
    monkeypatch.setattr(RunWriter, "save_checkpoint", lambda self, tensors, state: steps.append(state["step"]))
    experiment = short.replace_all({"training.checkpoint_seconds": interval, "training.epochs": 7})
    run_training(experiment, "x", tmp_path, watcher)
    assert steps[: len(saved)] == saved and steps[-1] == list_runs(tmp_path)[0].summary["n_steps"]
    assert interval == 50.0 or len(steps) == len(saved) + 1  # the last step is saved in any case


@pytest.mark.parametrize("when", ["before", "during"])
def test_a_signal_in_the_final_evaluation(uninterrupted, tmp_path, outcome, when, monkeypatch):
    experiment, _, expected = uninterrupted

    class AtTheEnd(Watcher):
        def finished(self):
            if when == "before":
                os.kill(os.getpid(), signal.SIGTERM)

    with monkeypatch.context() as patch:
        if when == "during":
            patch.setattr(conclude, "title_losses", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
        run = interrupted_run(experiment, tmp_path, AtTheEnd())
    assert_same(outcome(resumed(run)), expected)


def test_the_handlers_are_put_back(short, tmp_path):
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    interrupted_run(short, tmp_path, Signals(1))
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_a_terminal_that_hangs_up_twice_saves_like_sigterm(short, tmp_path):
    class HangsUp(Watcher):
        is_gone = False

        def message(self, text):
            if self.is_gone:
                raise OSError(errno.EIO, "Input/output error")

        def stepped(self, progress):
            if progress.step == 3:
                self.is_gone = True
                os.kill(os.getpid(), signal.SIGHUP)
                os.kill(os.getpid(), signal.SIGHUP)

    run = interrupted_run(short, tmp_path, HangsUp())
    assert run.load_checkpoint()[1]["step"] == 3


def test_under_nohup_a_hangup_is_ignored(short, tmp_path):
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        run_training(short, "x", tmp_path, Signals(2, signal.SIGHUP))
    finally:
        signal.signal(signal.SIGHUP, before)
    assert list_runs(tmp_path)[0].state == "complete"


@pytest.mark.parametrize(
    "error", [BrokenPipeError(), OSError(errno.ENOSPC, "full"), ValueError("I/O operation on closed file.")]
)
def test_a_watcher_that_cannot_write_is_dropped_and_training_goes_on(short, tmp_path, error):
    class Full(Messages):
        def stepped(self, progress):
            self.messages.append(progress.step)
            if progress.step == 2:
                raise error

    watcher = Full()
    assert run_training(short, "x", tmp_path, watcher).state == "complete"
    assert watcher.messages[-1] == 2


def test_a_second_ctrl_c_does_not_wait(short, tmp_path):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored where the tests run in the background

    class Impatient(Watcher):
        def stepped(self, progress):
            if progress.step == 3:
                os.kill(os.getpid(), signal.SIGINT)
                os.kill(os.getpid(), signal.SIGINT)

    try:
        with pytest.raises(KeyboardInterrupt):
            run_training(short, "x", tmp_path, Impatient())
    finally:
        signal.signal(signal.SIGINT, before)
    assert list_runs(tmp_path)[0].state == "interrupted"


@pytest.mark.parametrize(("seconds", "saved"), [(300.0, None), (0.0, 2)], ids=["nothing saved", "step 2 saved"])
def test_the_second_ctrl_c_says_what_can_be_resumed(short, tmp_path, capsys, seconds, saved):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)

    class Impatient(Watcher):
        def stepped(self, progress):
            if progress.step == 3:
                os.kill(os.getpid(), signal.SIGINT)
                os.kill(os.getpid(), signal.SIGINT)

    experiment = short.replace("training.checkpoint_seconds", seconds)
    try:
        code = guarded(lambda: run_training(experiment, "x", tmp_path, Impatient()))
    finally:
        signal.signal(signal.SIGINT, before)
    (run,) = list_runs(tmp_path)
    (line,) = capsys.readouterr().err.splitlines()
    assert code == 130 and f"resume {run.path}" in line
    assert ("step 2 is saved" in line) == (saved == 2) and ("nothing is saved" in line) == (saved is None)
    assert run.has_checkpoint() == (saved is not None)


def test_training_outside_the_main_thread(short, tmp_path):
    thread = threading.Thread(target=run_training, args=(short, "x", tmp_path))
    thread.start()
    thread.join()
    assert list_runs(tmp_path)[0].state == "complete"


KILLED = """
import json, os, signal, sys, torch
torch.set_num_threads(1)
from pathlib import Path
from sevenepochs.experiment import Experiment
from sevenepochs.training import trainer
from sevenepochs.training.hooks import Watcher
class Kills(Watcher):
    def stepped(self, progress):
        if progress.step == 9:
            os.kill(os.getpid(), signal.SIGKILL)
plan = json.load(sys.stdin)
for root, seconds in plan["folders"].items():
    if (child := os.fork()) == 0:
        experiment = Experiment.from_dict(plan["experiment"]).replace("training.checkpoint_seconds", seconds)
        trainer.run_training(experiment, "killed", Path(root), Kills())
        os._exit(0)
    assert os.WTERMSIG(os.waitpid(child, 0)[1]) == signal.SIGKILL
"""


@pytest.mark.parametrize("uninterrupted", ["adamw"], indirect=True)
def test_killed_and_resumed_is_uninterrupted(uninterrupted, tmp_path, outcome):
    """With a checkpoint after each step, and before the first one."""
    experiment, _, expected = uninterrupted
    folders = {str(tmp_path / "saved"): 0.0, str(tmp_path / "unsaved"): 300.0}
    done = subprocess.run(
        [sys.executable, "-c", KILLED],
        input=json.dumps({"experiment": experiment.to_dict(), "folders": folders}),
        text=True,
        capture_output=True,
        env={**os.environ, "PYTHONPATH": str(Path(sevenepochs.__file__).parents[1])},
    )
    assert done.returncode == 0, done.stderr
    for root, seconds in folders.items():
        (run,) = list_runs(Path(root))
        assert run.state == "interrupted" and run.summary is None
        assert run.has_checkpoint() is (seconds == 0.0)
        assert_same(outcome(resumed(run)), expected)


def test_a_request_to_stop_is_acknowledged_at_once(short, tmp_path):
    told = []

    class Listening(Signals):
        def message(self, text):
            told.append(text)

    interrupted_run(short, tmp_path, Listening(2))
    assert "stopping after this step" in told[-1]


def test_another_corpus_is_refused(short, tmp_path):
    run = interrupted_run(short, tmp_path, Signals(2))
    other = short.replace("corpus.seed", 5)
    with pytest.raises(UserError, match="other titles"):
        resume_training(run, other)
    assert run.state == "interrupted"
    assert resumed(run).state == "complete"  # and nothing was spoilt


@pytest.mark.parametrize("name", [layout.CHECKPOINT_STATE, layout.CHECKPOINT_TENSORS])
def test_a_checkpoint_that_lost_a_file_is_not_started_over_in_silence(short, tmp_path, name):
    run = interrupted_run(short, tmp_path, Signals(5))
    (run.path / layout.CHECKPOINT / name).unlink()
    with pytest.raises(UserError, match=f"checkpoint/{name} of run .* is missing; .* train again"):
        resumed(run)
    assert [row["step"] for row in run.training_curve()] == [1, 2, 3, 4, 5]


def test_a_run_that_went_on_with_other_sources_names_them_all(short, tmp_path, monkeypatch):
    def on(commit, dirty=False):
        facts = {"source": {"commit": commit, "dirty": dirty, "diff_sha256": None}, "packages": {}}
        monkeypatch.setattr(session, "environment_facts", lambda: dict(facts))

    on("first")
    run = interrupted_run(short, tmp_path, Signals(2))
    on("second")
    for step in (3, 4):
        with pytest.raises(Interrupted):
            resumed(run, Signals(step))
    on("third")
    said = Messages()
    complete = resumed(run, said)
    assert any("record of each" in message for message in said.messages)
    certificate = complete.certificate
    assert certificate["source"]["commit"] == "third"
    assert [source["commit"] for source in certificate["earlier_sources"]] == ["first", "second"]
    facts = result_of(complete).facts
    assert facts.commit == "third" and facts.dirty is True


def test_a_run_that_went_on_with_the_same_source_is_as_clean_as_one_that_never_stopped(short, tmp_path):
    run = resumed(interrupted_run(short, tmp_path, Signals(2)))
    assert run.certificate["earlier_sources"] == [] and "earlier" not in run.environment


def test_a_complete_run_has_nothing_to_resume(short, tmp_path):
    run = run_training(short, "x", tmp_path)
    with pytest.raises(UserError, match="complete"):
        resumed(run)


def test_elapsed_time_adds_up(short, tmp_path):
    run = interrupted_run(short, tmp_path, Signals(5))
    before = run.load_checkpoint()[1]["elapsed_seconds"]
    assert resumed(run).summary["elapsed_seconds"] > before > 0
    elapsed = [row["elapsed_seconds"] for row in run.metrics()]
    assert elapsed == sorted(elapsed)


@pytest.mark.long
def test_compiled_bf16_as_real_runs_are(short, tmp_path, outcome):
    experiment = short.replace_all({"training.compile": "on", "training.precision": "bf16"})
    expected = outcome(run_training(experiment, "x", tmp_path))
    run = interrupted_run(experiment, tmp_path, Signals(5))
    assert_same(outcome(resumed(run)), expected)
