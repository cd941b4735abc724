"""Logs from anybody: whatever the bytes, an audit or one line; never a traceback, little memory, little time."""

import gzip
import json
import subprocess
import sys
import time
import tracemalloc

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from sevenepochs.audit.report import as_markdown, as_text, boards_as_dicts, boards_as_text, leaderboard
from sevenepochs.audit.target import audit_target
from sevenepochs.audit.verdict import read_reference
from sevenepochs.errors import UserError

_SETTINGS = {"deadline": None, "suppress_health_check": list(HealthCheck)}
_NUMBERS = st.one_of(
    st.integers(-(10**30), 10**30),
    st.floats(),
    st.sampled_from(
        [0, 1, -1, 2**31, 2**63, 10**400, 1e308, 5e-324, "1e9", "nan", "x", None, True, [], {}, "\ud800", "<b>"]
    ),
)
_FIELDS = st.sampled_from(
    [
        *("block_size", "batch_size", "vocab_size", "epochs", "seed", "num_titles", "val_frac", "titles_count"),
        *("batches_per_epoch", "tokens_per_epoch", "parameters_count", "step", "max_steps", "loss", "timestamp"),
        *("event", "val_tokens", "val_chars", "eval_batch_size"),
    ]
)
_CHANGES = st.lists(st.tuples(st.integers(0, 75), _FIELDS, _NUMBERS), min_size=1, max_size=12)
_SPLICES = st.lists(
    st.tuples(
        st.integers(0, 12_000),
        st.integers(0, 40),
        st.one_of(
            st.binary(max_size=40),
            st.sampled_from([b"\0" * 50, b"[" * 5000, b'{"a":' * 3000, b"9" * 5000, b"\r\n", b"\xff\xfe", b"}\n{"]),
        ),
    ),
    min_size=1,
    max_size=6,
)  # fmt: skip


def survives(file):
    """Audit a file in every form of output; a UserError must be one line."""
    try:
        target = audit_target(file)
    except UserError as error:
        assert "\n" not in str(error)
        return
    for text in (as_text([target]), as_markdown([target])):
        text.encode("utf-8")
    json.dumps([run.to_dict() for run in target.runs], allow_nan=False)
    boards = leaderboard(target.runs)
    boards_as_text(boards).encode("utf-8")
    json.dumps(boards_as_dicts(boards), allow_nan=False)
    for run in target.runs:
        for interval in (run.corrected, run.ratio_to_stock, run.coverage.fraction, run.coverage.val_tokens):
            assert interval is None or interval.low <= interval.value <= interval.high
    try:
        audit_target(file, read_reference(file))
    except UserError as error:
        assert "\n" not in str(error)


def check_json(logs, changes):
    events = logs.events()
    for index, field, value in changes:
        events[index % len(events)][field] = value
    survives(logs.write(events, "hostile.log"))


def check_bytes(logs, splices, packed):
    file = logs.write(logs.events(), "hostile.log")
    data = file.read_bytes()
    data = gzip.compress(data, mtime=0) if packed else data
    for at, length, replacement in splices:
        at %= len(data) + 1
        data = data[:at] + replacement + data[at + length :]
    file.write_bytes(data)
    survives(file)


@settings(max_examples=100, **_SETTINGS)
@given(changes=_CHANGES)
@example(changes=[(4, "loss", 5e-324)])  # a ratio of losses beyond every number
@example(changes=[(73, "loss", 5e-324)])  # and one that is next to 0
def test_mutated_json(logs, changes):
    check_json(logs, changes)


@settings(max_examples=100, **_SETTINGS)
@given(splices=_SPLICES, packed=st.booleans())
def test_mutated_bytes(logs, splices, packed):
    check_bytes(logs, splices, packed)


@pytest.mark.long
@settings(max_examples=5_000, **_SETTINGS)
@given(changes=_CHANGES)
def test_mutated_json_long(logs, changes):
    check_json(logs, changes)


@pytest.mark.long
@settings(max_examples=5_000, **_SETTINGS)
@given(splices=_SPLICES, packed=st.booleans())
def test_mutated_bytes_long(logs, splices, packed):
    check_bytes(logs, splices, packed)


def test_text_from_a_log_never_becomes_markup(logs):
    evil = "<script>alert(1)</script>|`[x](http://y)"
    events = logs.events()
    events.insert(4, {"event": evil})
    target = audit_target(logs.write(events))
    assert "<script>" not in as_markdown([target]) and "[x](" not in as_markdown([target])
    assert "unknown-events" in as_text([target])


def test_a_packed_bomb_and_a_deep_line_need_little(tmp_path):
    bomb, deep = tmp_path / "bomb.log.gz", tmp_path / "deep.log"
    with gzip.open(bomb, "wb", compresslevel=1) as stream:
        for _ in range(64):
            stream.write(b"\0" * 1_000_000)
    deep.write_text('{"event": ' + "[" * 900_000)
    tracemalloc.start()
    started = time.monotonic()
    for file in (bomb, deep):
        survives(file)
    assert tracemalloc.get_traced_memory()[1] < 64_000_000
    assert time.monotonic() - started < 60
    tracemalloc.stop()


_SHAPES = {
    "training": '{"event": "training_step", "timestamp": 1.7e9, "step": %d, "max_steps": 938, "loss": 9.5}\n',
    "evaluations": '{"event": "validation_step", "step": %d, "loss": 2.0}\n',
    "headers": '{"event": "dataset_info", "field_%d": 1}\n',
    "blank": "\n" * 50,
}


# The peak is asked of the process itself: what the system tells its parent begins with the parent's own peak (Linux).
_AUDIT_AND_MEASURE = """
import json, resource, sys
from pathlib import Path
from sevenepochs.cli.main import main
code = main(["audit", sys.argv[1], "--json"])
used = resource.getrusage(resource.RUSAGE_SELF)
peak = used.ru_maxrss
if Path("/proc/self/status").exists():
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    peak = int(lines["VmHWM"].split()[0]) * 1024
print(json.dumps({"cpu_seconds": used.ru_utime + used.ru_stime, "peak_bytes": peak}), file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.long
@pytest.mark.parametrize("shape", _SHAPES)
def test_a_hundred_megabytes_need_a_minute_and_a_gigabyte_at_most(logs, shape):
    """As a user would, in a process of its own; processor time, for a busy machine is not the program's doing."""
    file = logs.write(logs.events(n_steps=2_000))
    line = _SHAPES[shape]
    with file.open("a") as stream:
        written = 0
        for step in range(2_001, 10**8):
            written += stream.write(line % step if "%d" in line else line)
            if written > 100_000_000:
                break
    done = subprocess.run([sys.executable, "-c", _AUDIT_AND_MEASURE, str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2_000:]
    assert json.loads(done.stdout)[0]["runs"]
    used = json.loads(done.stderr.splitlines()[-1])
    assert used["cpu_seconds"] < 60
    assert used["peak_bytes"] < 2**30
