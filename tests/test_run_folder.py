import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

from sevenepochs.errors import UserError
from sevenepochs.run_folder import Run, RunWriter, find_run, layout, list_runs, lock, storage, write_analysis

NOON = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)
SOURCE = str(Path(storage.__file__).resolve().parents[2])
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


# Names and creation


def test_names_sort_by_time_and_are_never_used_twice(root):
    names = [RunWriter.create(root, "adamw", 1337, now=NOON).name for _ in range(11)]
    assert names[:3] == [
        "20260102T120000Z_adamw_s1337",
        "20260102T120000Z_adamw_s1337-2",
        "20260102T120000Z_adamw_s1337-3",
    ]
    assert [run.name for run in list_runs(root)] == names  # -10 after -2


def test_a_recipe_from_a_file_leaves_no_folder_names_behind(root):
    writer = RunWriter.create(root, "/elsewhere/somebody/my recipes.py:fast", 1, now=NOON)
    assert writer.name == "20260102T120000Z_my-recipes.py-fast_s1"
    assert "somebody" not in "".join(path.read_text() for path in writer.path.iterdir())
    assert Run(writer.path).recipe == "my recipes.py:fast"


def test_facts_known_from_the_start(writer):
    run = Run(writer.path)
    assert (run.recipe, run.seed, run.state) == ("adamw", 1337, "running")
    assert run.info["created_utc"] == "2026-01-02T12:00:00+00:00"
    assert run.age_seconds == pytest.approx(time.time() - NOON.timestamp(), abs=60)


@pytest.mark.parametrize("below", ["", "deeper"])
def test_output_folder_that_is_a_file(tmp_path, below):
    (tmp_path / "runs").write_text("a file")
    with pytest.raises(UserError, match="not a folder"):
        RunWriter.create(tmp_path / "runs" / below, "adamw", 1)


@pytest.mark.parametrize(("code", "says"), [(errno.ENOSPC, "disk full"), (errno.EROFS, "no permission")])
def test_output_folder_that_cannot_be_written(root, monkeypatch, code, says):
    def refuse(*_, **__):
        raise OSError(code, "refused")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(UserError, match=says):
        RunWriter.create(root, "adamw", 1)


def test_disk_full_at_creation_leaves_no_folder(root, monkeypatch):
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(UserError, match="disk full"):
        RunWriter.create(root, "adamw", 1)
    assert list(root.iterdir()) == []


# Files


def test_json_is_strict_and_readable(writer):
    writer.write_json(
        "config.json", {"kind": "x", "title": "naïve “quotes”", "n": np.int64(3), "bad": [np.float32("nan")]}
    )
    assert "naïve “quotes”" in (writer.path / "config.json").read_text(encoding="utf-8")
    assert Run(writer.path).config == {"kind": "x", "title": "naïve “quotes”", "n": 3, "bad": [None]}
    with pytest.raises(TypeError, match="ndarray"):
        writer.write_json("config.json", {"x": np.zeros(2)})
    assert Run(writer.path).config["n"] == 3


def test_a_failed_write_keeps_the_old_file_and_no_leftover(writer, monkeypatch):
    writer.write_json("config.json", {"old": 1})
    before = sorted(path.name for path in writer.path.iterdir())
    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(UserError, match=r"disk full: could not write config.json .*train again"):
        writer.write_json("config.json", {"new": 1})
    assert Run(writer.path).config == {"old": 1}
    assert sorted(path.name for path in writer.path.iterdir()) == before


def test_nothing_is_written_outside_or_after_closing(writer):
    for name in ("../x.json", "/x.json"):
        with pytest.raises(AssertionError, match="inside"):
            writer.write_json(name, {})
    writer.close()
    with pytest.raises(AssertionError, match="closed"):
        writer.write_json("config.json", {})


def test_model_tensors_in_any_memory_order(writer):
    tensors = {**TENSORS, "transposed": np.arange(6, dtype=np.float32).reshape(2, 3).T, "strided": np.arange(9)[::2]}
    writer.save_model(tensors, {"recipe": "adamw"})
    assert_same(Run(writer.path).load_model_tensors(), tensors)
    assert Run(writer.path).load_tensors(layout.MODEL)[1]["recipe"] == "adamw"
    assert_same(safetensors.numpy.load_file(writer.path / layout.MODEL), tensors)  # others read it too
    with pytest.raises(TypeError, match="float16"):
        writer.save_model({"w": np.zeros(2, dtype=np.float16)})


def test_every_flipped_byte_of_the_model_is_noticed(writer):
    writer.save_model(TENSORS)
    path = writer.path / layout.MODEL
    whole = path.read_bytes()
    for at in range(len(whole)):
        flip(path, at)
        try:
            tensors = Run(writer.path).load_model_tensors()
        except UserError as error:
            assert "model.safetensors" in str(error)
        else:
            assert_same(tensors, TENSORS)  # padding in the header may change
            assert whole[at : at + 1] == b" "
        path.write_bytes(whole)
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"model.safetensors of run .* is corrupt"):
        Run(writer.path).load_model_tensors()
    path.unlink()
    with pytest.raises(UserError, match=r"model.safetensors of run .* is missing"):
        Run(writer.path).load_model_tensors()


# Lines


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
    with pytest.raises(UserError, match=rf"disk full: .*metrics.jsonl.*nothing lost.*sevenepochs resume {writer.name}"):
        writer.append_metric({"step": 2})
    assert Run(writer.path).load_checkpoint()[1] == {"step": 1}


# Checkpoints


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
    with pytest.raises(UserError, match=r"disk full: could not write checkpoint .*nothing lost.*sevenepochs resume"):
        writer.save_checkpoint(TENSORS, {"step": 2})
    assert Run(writer.path).load_checkpoint()[1] == {"step": 1}
    assert not (writer.path / layout.CHECKPOINT_NEW).exists()


SAVE_FOR_EVER = """
import sys, itertools, numpy as np
from pathlib import Path
from sevenepochs.run_folder import RunWriter
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


# States and locks


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
    with pytest.raises(UserError, match=f"disk full: .*resume {writer.name}"):
        writer.finish({"exact_val_loss": 1.0})
    writer.close()
    assert Run(writer.path).summary is None and Run(writer.path).state == "interrupted"


HOLD = """
import sys
from pathlib import Path
from sevenepochs.run_folder import RunWriter
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


def test_a_reused_process_id_is_not_the_writer(writer):
    writer.close()
    record = {"pid": os.getpid(), "started": "some other time", "token": "x"}
    (writer.path / layout.LOCK).write_text(json.dumps(record))
    assert lock.holder(writer.path / layout.LOCK) is None and Run(writer.path).state == "interrupted"
    for nonsense in ("", "{", "[1]", '{"pid": "x"}', '{"pid": -1}'):
        (writer.path / layout.LOCK).write_text(nonsense)
        assert Run(writer.path).state == "interrupted"


def test_an_abandoned_writer_of_this_process_does_not_free_its_successors_lock(writer):
    with RunWriter.reopen(writer.path):  # a notebook goes on after a cell that failed
        writer.close()
        assert Run(writer.path).state == "running"
    assert Run(writer.path).state == "interrupted"


def test_a_run_that_cannot_be_reopened_stays_free(writer):
    writer.close()
    (writer.path / layout.METRICS).write_bytes(b'nonsense\n{"step": 1}')
    with pytest.raises(UserError, match="line 1"):
        RunWriter.reopen(writer.path)
    assert Run(writer.path).state == "interrupted"


# Reading and finding


def test_missing_and_corrupt_files_are_named_with_a_way_on(writer):
    run = Run(writer.path)
    with pytest.raises(UserError, match=r"config.json of run .* is missing; .*wait"):
        run.config  # noqa: B018
    writer.write_text("corpus.json", "[1]")
    with pytest.raises(UserError, match=r"corpus.json of run .* is corrupt \(not an object"):
        run.corpus  # noqa: B018
    (writer.path / "environment.json").write_bytes(b"\xff\x00{")
    with pytest.raises(UserError, match=r"environment.json of run .* is corrupt"):
        run.environment  # noqa: B018
    assert run.certificate is None and run.summary is None
    writer.close()
    with pytest.raises(UserError, match=f"sevenepochs resume {run.name}"):
        run.read_text(layout.TOKENIZER)


@pytest.mark.parametrize(
    ("name", "read"),
    [
        (layout.CONFIG, lambda run: run.config),
        (layout.RUN, lambda run: run.recipe),
        (layout.TOKENIZER, lambda run: run.read_text(layout.TOKENIZER)),
        (layout.METRICS, lambda run: list(run.metrics())),
        (layout.MODEL, lambda run: run.load_model_tensors()),
    ],
)
def test_a_file_that_cannot_be_read_is_named(writer, name, read):
    run = Run(writer.path)
    (writer.path / name).unlink(missing_ok=True)
    (writer.path / name).mkdir()  # permissions would not do: root, who may run these tests, is denied nothing
    with pytest.raises(UserError, match=rf"{name} of run .* cannot be read \(Is a directory\); check its permissions"):
        read(run)


def test_schema_of_another_version(writer):
    info = json.loads((writer.path / layout.RUN).read_text())
    (writer.path / layout.RUN).write_text(json.dumps({**info, "schema_version": 99}))
    for read in (lambda run: run.config, lambda run: run.evaluations(), lambda run: run.load_checkpoint()):
        with pytest.raises(UserError, match="schema version 99, this program reads 1"):
            read(Run(writer.path))
    with pytest.raises(UserError, match="schema version"):
        RunWriter.reopen(writer.path)
    assert [run.name for run in list_runs(writer.path.parent)] == [writer.name]  # seen, though not readable


def test_not_a_run(tmp_path):
    with pytest.raises(UserError, match="does not exist"):
        Run(tmp_path / "nothing")
    with pytest.raises(UserError, match="is not a run folder"):
        Run(tmp_path)
    assert list_runs(tmp_path / "nothing") == []


def test_analysis_may_be_added_to_a_complete_run(writer):
    writer.finish({})
    write_analysis(Run(writer.path), "next_token", {"p": 0.5})
    assert Run(writer.path).analysis_names() == ["next_token"]
    assert Run(writer.path).analysis("next_token") == {"p": 0.5}


def test_find_run(root, monkeypatch, tmp_path):
    with pytest.raises(UserError, match="holds no runs yet"):
        find_run("last", root)
    day = [datetime(2026, 1, n, tzinfo=UTC) for n in range(1, 4)]
    for recipe, seed, now in [("baseline", 1337, day[2]), ("adamw", 1337, day[0]), ("adamw", 1338, day[1])]:
        RunWriter.create(root, recipe, seed, now=now).close()
    (root / "notes").mkdir()
    assert [run.name[:8] for run in list_runs(root)] == ["20260101", "20260102", "20260103"]
    assert find_run("last", root).recipe == "baseline"
    assert find_run("20260102", root).seed == 1338
    assert find_run("adamw_s1337", root).seed == 1337
    assert find_run("adamw", root).seed == 1338  # the newest of the recipe
    assert find_run("20260101T000000Z_adamw_s1337", root).seed == 1337
    monkeypatch.chdir(tmp_path)
    assert find_run("runs/20260101T000000Z_adamw_s1337/", root).name == "20260101T000000Z_adamw_s1337"
    with pytest.raises(UserError, match=r"could be 2 runs; .*adamw_s1337, .*baseline_s1337"):
        find_run("1337", root)
    with pytest.raises(UserError, match="did you mean '20260102T000000Z_adamw_s1338'"):
        find_run("20260102T000000Z_adam_s1338", root)
    with pytest.raises(UserError, match="no run ''"):
        find_run("", root)
    with pytest.raises(UserError, match="is not a run folder"):
        find_run("runs/notes", root)


def test_damaged_folders_stop_nobody_who_does_not_name_them(root):
    nameless = json.dumps({"schema_version": layout.SCHEMA_VERSION})
    for recipe, seed, content in [("adamw", 1, "{"), ("rope", 2, '{"schema_version": 99}'), ("sgd", 3, nameless)]:
        writer = RunWriter.create(root, recipe, seed)
        writer.close()
        (writer.path / layout.RUN).write_text(content)
    RunWriter.create(root, "adamw", 4).close()
    assert find_run("adamw", root).seed == 4
    assert find_run("adamw_s4", root).seed == 4
    for named, message in [("adamw_s1", "is corrupt"), ("rope_s2", "version 99"), ("sgd_s3", "no recipe or seed")]:
        with pytest.raises(UserError, match=f"{named}.*{message}"):
            find_run(named, root).recipe  # noqa: B018
    with pytest.raises(UserError, match="no run 'rope'"):
        find_run("rope", root)


def test_the_contract_needs_no_torch():
    process = in_another_process("import sys, sevenepochs.run_folder; print('torch' in sys.modules)")
    assert process.communicate()[0] == "False\n"
