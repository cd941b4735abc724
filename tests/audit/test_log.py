"""Reading logs of every shape."""

import gzip
import json
import math
import random
import tracemalloc

import pytest

from sevenepochs.audit import log as events_module
from sevenepochs.audit.log import read_log
from sevenepochs.audit.verdict import audit_log
from sevenepochs.errors import UserError


def rules(audit):
    return {finding.rule for finding in audit.findings}


def test_a_whole_run(logs):
    log = read_log(logs.write(logs.events()))
    (run,) = log.runs
    assert (run.count("block_size"), run.count("tokens_per_epoch"), run.max_steps) == (128, 1_102_455, 60)
    assert run.training.n == run.training.last_step == 60 and run.training.n_missing == 0
    assert sorted(run.evaluations) == [1, 20, 40, 60]
    assert log.not_json == 0 and not log.truncated_last_line


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("packed", [False, True])
def test_line_ends_encodings_and_gz_change_nothing(logs, ending, encoding, packed):
    file = logs.write(logs.events())
    expected = read_log(file).runs[0]
    data = file.read_text().replace("\n", ending).encode(encoding)
    file.write_bytes(gzip.compress(data) if packed else data)
    found = read_log(file).runs[0]
    assert (found.header, found.evaluations, found.training) == (
        expected.header,
        expected.evaluations,
        expected.training,
    )


def test_a_truncated_last_line_is_left_out_and_said(logs):
    file = logs.write(logs.events())
    whole = read_log(file)
    file.write_text(file.read_text()[:-30])
    cut = read_log(file)
    assert cut.truncated_last_line and cut.not_json == 0
    assert len(cut.runs[0].evaluations) == len(whole.runs[0].evaluations) - 1
    (audit,) = audit_log(cut)
    assert {"truncated", "no-final-evaluation"} <= rules(audit)


def test_a_missing_last_line_end_loses_nothing(logs):
    file = logs.write(logs.events())
    file.write_text(file.read_text().rstrip("\n"))
    log = read_log(file)
    assert not log.truncated_last_line and 60 in log.runs[0].evaluations


def test_a_truncated_gz_gives_what_it_holds(logs):
    events = logs.events(n_steps=2000)
    rng = random.Random(0)
    for event in events:
        event["noise"] = rng.random()  # so that it does not pack into one block
    file = logs.write(events)
    file.write_bytes(gzip.compress(file.read_bytes())[:-2000])
    (audit,) = audit_log(read_log(file))
    assert {"damaged-file", "unfinished"} <= rules(audit) and audit.corrected is not None


def test_unknown_events_extra_fields_and_other_lines(logs):
    events = logs.events()
    events[0]["nested"] = {"a": [1, 2]}
    events.insert(5, {"event": "gpu_info", "name": "x"})
    file = logs.write(events)
    file.write_text("Training ...\n" + file.read_text() + "[1, 2]\n\n{}\nnull\n")
    log = read_log(file)
    assert log.not_json == 4  # the empty line is none
    (audit,) = audit_log(log)
    assert {"other-lines", "unknown-events"} <= rules(audit)
    assert audit.coverage.windows.value == 14


def test_several_runs_in_one_file(logs):
    first, second = logs.events(final_loss=1.75), logs.events(final_loss=1.3, fall=0.07)
    aborted = logs.events()[:4]
    audits = audit_log(read_log(logs.write([*first, *aborted, *second])))
    assert [round(audit.losses.last, 4) for audit in audits] == [1.75, 1.3]
    assert audits[0].name.endswith("(run 1 of 2)")


def test_a_second_run_without_header_takes_the_first_ones(logs):
    events = logs.events()
    audits = audit_log(read_log(logs.write([*events, *events[4:]])))
    assert len(audits) == 2 and audits[1].coverage.windows.value == 14
    assert "no-header" in rules(audits[1]) and "no-header" not in rules(audits[0])


def test_a_resumed_run_is_one_run(logs):
    events = logs.events()
    at = next(i for i, e in enumerate(events) if e["event"] == "training_step" and e["step"] == 31)
    (audit,) = audit_log(read_log(logs.write([*events[: at + 4], *events[at:]])))
    assert "duplicate-steps" in rules(audit)
    assert audit.n_steps == 60


@pytest.mark.parametrize(
    "content", [b"", b"\n\n", b"no log\n", b"{}\n", b"\x1f\x8b\x08 broken", b"\xff\xfe", b"\0" * 99]
)
def test_what_is_no_log_is_one_line(tmp_path, content):
    file = tmp_path / "x.log"
    file.write_bytes(content)
    with pytest.raises(UserError) as raised:
        read_log(file)
    assert "\n" not in str(raised.value)


def test_a_folder_or_a_missing_file_is_one_line(tmp_path):
    for path in (tmp_path, tmp_path / "missing"):
        with pytest.raises(UserError):
            read_log(path)


def test_overlong_lines_are_skipped_without_being_held(logs, monkeypatch):
    monkeypatch.setattr(events_module, "MAX_LINE_CHARS", 1000)
    events = logs.events()
    events.insert(6, {"event": "dump", "blob": "x" * 5_000})
    log = read_log(logs.write(events))
    assert log.overlong == 1 and log.runs[0].training.n == 60


def test_reading_stops_at_the_limit_and_says_so(logs, monkeypatch):
    monkeypatch.setattr(events_module, "MAX_CHARS", 3_000)
    (audit,) = audit_log(read_log(logs.write(logs.events())))
    assert "cut" in rules(audit)


def test_memory_is_bounded(tmp_path):
    file = tmp_path / "big.log"
    with file.open("w") as stream:
        for step in range(1, 30_001):
            stream.write(
                json.dumps({"event": "training_step", "step": step, "loss": 5.0, f"extra{step}": "x" * 50}) + "\n"
            )
            stream.write(json.dumps({"event": "validation_step", "step": step, "loss": 1.5}) + "\n")
            stream.write(json.dumps({"event": f"name{step}"}) + "\n")
    tracemalloc.start()
    (run,) = read_log(file).runs
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 4_000_000
    assert run.training.n == 30_000 and max(run.evaluations) == 30_000 and run.n_evaluations_dropped == 25_000
    assert len(run.unknown_events) <= 64


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, 1.0),
        ("1.5", 1.5),
        (True, None),
        (None, None),
        ([1], None),
        (10**400, math.inf),
        ("x", None),
        ("1" * 99, None),
    ],
)
def test_numbers_as_logged(value, expected):
    found = events_module.number(value)
    assert found == expected
    assert math.isnan(events_module.number(math.nan))
    assert events_module.whole(value) in (None, 1)
