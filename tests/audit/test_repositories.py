"""Repositories as people keep them: notebooks, sibling logs, the challenge's own log, claims without a log."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

from sevenepochs.audit.datasets import is_challenge_log
from sevenepochs.audit.log import read_log
from sevenepochs.audit.report import as_markdown, as_text
from sevenepochs.audit.target import audit_target
from sevenepochs.errors import UserError

_spec = importlib.util.spec_from_file_location("source_program", Path(__file__).with_name("source_program.py"))
assert _spec and _spec.loader
program = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(program)
BASELINE_LAST = 1.753258931249836


def notebook(folder: Path, printed: str | list[str], code: str = "", name: str = "run.ipynb") -> Path:
    cells = [
        {"cell_type": "code", "source": code, "outputs": []},
        {"cell_type": "code", "source": "main()", "outputs": [{"output_type": "stream", "text": printed}]},
    ]
    (folder / name).write_text(json.dumps({"cells": cells, "nbformat": 4}))
    return folder / name


# ---- notebooks as logs ----


def test_a_notebook_that_printed_the_events_is_a_log(logs, tmp_path):
    events = logs.events()
    lines = [json.dumps(event) + "\n" for event in events]
    (audit,) = audit_target(notebook(tmp_path, lines)).runs
    (expected,) = audit_target(logs.write(events)).runs
    assert audit.corrected == expected.corrected and audit.coverage.windows == (14, 14, 14)


def as_printed(events):
    """What the challenge's program writes to the terminal: progress bars, events with a step, and names = values."""
    for event in events:
        rest = {name: value for name, value in event.items() if name not in ("event", "timestamp", "prnt")}
        if "step" in rest:
            yield "Epoch 1/7:  12%|#   | 16/134 [00:10<01:10]\r"
            yield f"[{rest['step']:>5}/{rest['max_steps']}] {event['event']}: loss={rest['loss']:.6f} time=1.20s\n"
        else:
            yield f"{event['event']}: {', '.join(f'{name}={value}' for name, value in rest.items())}\n"


def test_a_notebook_that_shows_the_programs_own_lines_is_a_log(logs, tmp_path):
    events = [e for e in logs.events() if e["event"] != "training_step"]  # the challenge prints no training steps
    (audit,) = audit_target(notebook(tmp_path, "".join(as_printed(events)))).runs
    assert audit.dataset.name == "2023" and audit.coverage.windows == (14, 14, 14)
    assert audit.corrected.value == pytest.approx(1.855, abs=0.001)


def test_lines_that_only_name_losses_are_read_from_notebooks_alone(logs, tmp_path):
    text = "step 1/900 | train loss 9.7 | val_loss: 2.10\niter 300: loss 6.1\nstep 900: val loss = 1.4210\nthe end\n"
    (run,) = read_log(notebook(tmp_path, text)).runs
    assert run.evaluations == {1: 2.10, 900: 1.4210} and run.training.n == 2
    (audit,) = audit_target(tmp_path / "run.ipynb").runs
    assert audit.losses.last == 1.4210 and audit.corrected is None
    (tmp_path / "run.log").write_text(text)
    with pytest.raises(UserError):
        read_log(tmp_path / "run.log")


def test_a_repository_of_notebooks_alone_gets_a_full_audit(logs, tmp_path):
    repository = tmp_path / "repository"
    repository.mkdir()
    code = program.edited(("pre_tokenizers.ByteLevel()", "pre_tokenizers.Whitespace()"))
    notebook(repository, [json.dumps(event) + "\n" for event in logs.events()], code)
    audit = audit_target(repository)
    (run,) = audit.runs
    assert run.corrected is not None and "lossy-tokenizer" in run.marks
    assert audit.source.program == "run.ipynb" and not audit.claims
    lossy = next(finding for finding in audit.source.findings if finding.rule == "lossy-tokenizer")
    assert lossy.evidence.startswith("run.ipynb:cell 1:")


@pytest.mark.parametrize(
    "content", ["", "[]", "{}", '{"cells": 3}', '{"cells": [3, {"cell_type": "code"}]}', "[" * 99_999]
)
def test_what_is_no_notebook_is_one_line(content, tmp_path):
    (tmp_path / "x.ipynb").write_text(content)
    with pytest.raises(UserError) as raised:
        audit_target(tmp_path / "x.ipynb")
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("before", ["[rank0]: ", "2026-03-01 12:00:00,123 INFO ", "\x1b[32m"])
def test_json_after_a_prefix_is_read(before, logs):
    file = logs.write(logs.events())
    file.write_text("".join(f"{before}{line}\n" for line in file.read_text().splitlines()))
    (audit,) = audit_target(file).runs
    assert audit.coverage.windows == (14, 14, 14) and "other-lines" not in {f.rule for f in audit.findings}


# ---- siblings ----

OTHER_TOKENIZER = {"tokens_per_epoch": 1_014_500, "val_tokens": 111_700, "vocab_size": 32_000}


def poisoned(logs, **figures):
    """A run whose training loss has R-Drop's term in it, about which its settings say nothing."""
    events = logs.events(**{**OTHER_TOKENIZER, "fall": 0.02, **figures})
    for event in events:
        if event["event"] == "training_step":
            event["loss"] *= 1.5
    return events


def by_name(target):
    return {Path(run.name).name: run for run in target.runs}


def test_a_sibling_proves_the_dataset_that_a_poisoned_first_step_hides(logs, tmp_path):
    logs.write(poisoned(logs), "rdrop.log")
    (alone,) = audit_target(tmp_path).runs
    assert alone.dataset.name is None and alone.ratio_to_stock is None
    logs.write(logs.events(**OTHER_TOKENIZER), "plain.log")
    found = by_name(audit_target(tmp_path))
    rdrop, plain = found["rdrop.log"].dataset, found["plain.log"].dataset
    assert (rdrop.name, rdrop.confidence, plain.confidence) == ("2023", "likely", "likely")
    assert "plain.log" in rdrop.how and "sibling" in rdrop.how
    assert (rdrop.r, rdrop.validation_chars) == (plain.r, plain.validation_chars)
    assert found["rdrop.log"].corrected is not None and found["rdrop.log"].ratio_to_stock is not None


@pytest.mark.parametrize(
    "figures", [{"num_titles": 90_000}, {"tokens_per_epoch": 1_014_501}, {"vocab_size": 32_001}, {"val_frac": 0.2}]
)
def test_siblings_share_nothing_across_titles_tokenizers_or_tokens(figures, logs, tmp_path):
    logs.write(logs.events(**OTHER_TOKENIZER), "plain.log")
    events = poisoned(logs, **figures)
    if "val_frac" in figures:
        next(e for e in events if e["event"] == "dataset_info")["titles_count"] = 80_000
    logs.write(events, "other.log")
    assert by_name(audit_target(tmp_path))["other.log"].dataset.name is None


def test_siblings_that_contradict_each_other_prove_nothing(logs, tmp_path):
    logs.write(poisoned(logs), "rdrop.log")
    logs.write(logs.events(**OTHER_TOKENIZER), "old.log")
    newer = logs.events(**{**OTHER_TOKENIZER, "val_chars": 562_970, "val_tokens": 112_508}, timestamp=1.79e9)
    logs.write(newer, "new.log")
    found = by_name(audit_target(tmp_path))
    assert [found[name].dataset.name for name in ("old.log", "new.log", "rdrop.log")] == ["2023", "2026", None]


# ---- the challenge's own log ----


def baseline(logs, ending="\n"):
    events = logs.events(n_steps=938)
    events[-1] = {"event": "validation_step", "step": 938, "max_steps": 938, "loss": BASELINE_LAST}
    file = logs.write(events, "baseline.log")
    file.write_bytes(file.read_text().replace("\n", ending).encode())
    return file


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_the_challenges_own_log_is_set_apart(ending, logs, tmp_path):
    baseline(logs, ending)
    logs.write(logs.events(final_loss=1.3), "mainrun.log")
    (tmp_path / "train.py").write_text(program.edited(("pre_tokenizers.ByteLevel()", "pre_tokenizers.Whitespace()")))
    target = audit_target(tmp_path)
    found = by_name(target)
    assert found["baseline.log"].is_challenge and not found["baseline.log"].marks
    assert "lossy-tokenizer" in found["mainrun.log"].marks
    assert [Path(run.name).name for run in target.entries] == ["mainrun.log"]
    for text in (as_text([target]), as_markdown([target])):
        assert text.count("the challenge's baseline, not this entrant's") == 1


def test_a_run_of_the_stock_program_is_not_taken_for_the_challenges_own(logs):
    events = [*logs.events(n_steps=938), {"event": "validation_step", "step": 938, "max_steps": 938, "loss": 1.7533}]
    (run,) = read_log(logs.write(events)).runs
    assert 938 in run.evaluations and not is_challenge_log(run.evaluations)


# ---- repositories without a log of their own ----


@pytest.mark.parametrize("with_baseline", [False, True])
def test_a_claim_is_quoted_and_corrected_for_the_programs_windows(with_baseline, logs, tmp_path):
    if with_baseline:
        baseline(logs)
    (tmp_path / "train.py").write_text(
        program.edited(
            ("batch_size: int = 64", "batch_size: int = 256"), ("block_size: int = 128", "block_size: int = 256")
        )
    )
    readme = "# Mine\n\nThe baseline val loss is 1.7533.\nVersion 1.2345 of it.\n\nFinal validation loss: **0.9440**\n"
    (tmp_path / "README.md").write_text(readme)
    target = audit_target(tmp_path)
    assert (target.claims[0].value, target.claims[0].where) == (0.944, "README.md:6")
    assert "0.9440" in target.claims[0].quote and "65,536" in target.claims[0].worth
    assert "1.7484 on the 2023 data" in target.claims[0].worth  # as a log of this run is corrected
    assert 1.2345 not in {claim.value for claim in target.claims}
    text = as_text([target])
    assert "none of its own" in text and "README.md:6" in text


def test_a_repository_with_a_log_needs_no_claims(logs, tmp_path):
    logs.write(logs.events())
    (tmp_path / "train.py").write_text(program.BASE)
    (tmp_path / "README.md").write_text("Final validation loss: 0.9\n")
    assert audit_target(tmp_path).claims == ()
