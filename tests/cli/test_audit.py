"""`audit` and `leaderboard` from the command line."""

import json
import runpy
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sevenepochs.cli.main import main
from sevenepochs.store.publishing import publish
from sevenepochs.store.run import Run

HEADER = [
    {"event": "hyperparameters_configured", "batch_size": 64, "block_size": 128, "epochs": 7, "seed": 1337,
     "num_titles": 100_000, "val_frac": 0.1, "vocab_size": 16_000, "timestamp": 1_755_000_000.0},
    {"event": "dataset_info", "titles_count": 90_000, "batches_per_epoch": 134, "tokens_per_epoch": 1_102_455},
    {"event": "training_step", "step": 1, "max_steps": 938, "loss": 9.774},
    {"event": "validation_step", "step": 1, "max_steps": 938, "loss": 2.098},
    {"event": "training_step", "step": 2, "max_steps": 938, "loss": 9.752},
    {"event": "validation_step", "step": 938, "max_steps": 938, "loss": 1.7533},
]  # fmt: skip


@pytest.fixture
def log(tmp_path: Path) -> Path:
    file = tmp_path / "mainrun.log"
    file.write_text("".join(json.dumps(event) + "\n" for event in HEADER))
    return file


def test_the_challenges_own_number(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["audit", str(log), "--json"]) == 0
    (target,) = json.loads(capsys.readouterr().out)
    (run,) = target["runs"]
    assert run["dataset"]["name"] == "2023" and run["coverage"]["windows"]["value"] == 14
    assert run["coverage"]["agree"] is True
    assert run["corrected"]["low"] < 1.855 < run["corrected"]["high"]
    assert run["ratio_to_stock"]["value"] == pytest.approx(1.0)
    assert main(["audit", str(log)]) == 0
    text = capsys.readouterr().out
    assert "1.7533" in text and "14 windows" in text and "1.85" in text


def test_markdown_is_written(log: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    markdown = tmp_path / "a.md"
    assert main(["audit", str(log), "--markdown", str(markdown)]) == 0
    assert "1.7533" in markdown.read_text(encoding="utf-8")
    assert main(["audit", str(log), "--markdown", str(tmp_path / "no" / "a.md")]) == 2
    assert "cannot write" in capsys.readouterr().err


def test_a_source_is_compared_with_a_template(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    base = str(runpy.run_path(str(Path(__file__).parents[1] / "audit" / "source_program.py"))["BASE"])
    for folder, text in (("template", base), ("entry", base.replace("len(val_text)", "len(val_ids)"))):
        (log.parent / folder).mkdir()
        (log.parent / folder / "train.py").write_text(text)
    assert main(["audit", str(log.parent / "entry"), "--template", str(log.parent / "template")]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "9 of 10 places as in the challenge; changed: evaluate; evaluate: " in lines[1]
    assert any(line.strip() == "+        return total / len(val_ids)" for line in lines)
    assert main(["audit", str(log.parent / "entry"), "--template", str(log.parent / "nowhere")]) == 2
    assert main(["audit", "--tokenizer", "x", "--template", str(log.parent)]) == 2


def test_our_runs_are_recognised_wherever_they_lie(
    log: Path, finished_run: Run, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(finished_run.path, log.parent / "runs" / finished_run.path.name)
    publish(finished_run, log.parent / "work" / "results")
    monkeypatch.chdir(log.parent)
    assert main(["audit", ".", "--json"]) == 0
    (target,) = json.loads(capsys.readouterr().out)
    assert sorted(run["source"] for run in target["runs"]) == ["log", "result", "run folder"]
    assert all(run["is_exact"] for run in target["runs"] if run["source"] != "log")
    assert main(["leaderboard", ".", "--json"]) == 0
    boards = json.loads(capsys.readouterr().out)
    assert [len(board["entries"]) for board in boards] == [1, 2]
    assert all(entry["rank"] for board in boards for entry in board["entries"])
    for verb in ("audit", "leaderboard"):
        assert main([verb, "last"]) == 0
        assert finished_run.path.name in capsys.readouterr().out
        assert main([verb, "last", "--runs", "nowhere"]) == 2
        assert "nowhere" in capsys.readouterr().err


def test_a_repository_is_audited_with_its_logs(log: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (log.parent / "train.py").write_text("epochs = 7\n")
    (log.parent / "other.log").write_text("no log of the challenge\n")
    assert main(["audit", str(log.parent), "--json"]) == 0
    (target,) = json.loads(capsys.readouterr().out)
    assert len(target["runs"]) == 1 and target["source"] is not None
    assert target["unread"] == [str(log.parent / "other.log")]


def test_what_the_source_does_stands_beside_the_number(
    log: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sevenepochs.audit import target
    from sevenepochs.audit.finding import Finding
    from sevenepochs.audit.source.audit import SourceAudit

    (log.parent / "train.py").write_text("epochs = 7\n")
    lossy = Finding("error", "lossy-tokenizer", "lower-cases", "train.py:9", "case is not predicted", "certain")
    source = SourceAudit("9 of 10 places as in the challenge", "train.py", (), (), (lossy,))
    monkeypatch.setattr(target, "audit_source", lambda folder, template: source)
    assert main(["audit", str(log.parent)]) == 0
    text = capsys.readouterr().out
    assert "beware     lossy-tokenizer" in text and text.count("lower-cases") == 1
    assert main(["leaderboard", str(log.parent), "--json"]) == 0
    ((entry,),) = [board["entries"] for board in json.loads(capsys.readouterr().out)]
    assert entry["rank"] is None and entry["marks"][0] == "lossy-tokenizer"


def test_leaderboard_of_a_log_and_a_run(log: Path, finished_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["leaderboard", str(log), str(finished_run.path)]) == 0
    text = capsys.readouterr().out
    assert "dataset 2023" in text and "dataset sample-100" in text
    assert main(["leaderboard", str(log), str(finished_run.path), "--json"]) == 0
    boards = json.loads(capsys.readouterr().out)
    assert [board["entries"][0]["rank"] for board in boards] == [1, 1]


@pytest.mark.parametrize("verb", ["audit", "leaderboard"])
@pytest.mark.parametrize("content", [None, b"", b"not a log\n", b"\x1f\x8b\x08 broken"])
def test_what_cannot_be_read_is_one_line_and_2(
    verb: str, content: bytes | None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "x.log"
    if content is not None:
        file.write_bytes(content)
    for target in (file, tmp_path):
        assert main([verb, str(target)]) == 2
        error = capsys.readouterr().err.strip()
        assert error.startswith("error: ") and "\n" not in error
    assert main([verb, str(file), "--reference", str(tmp_path / "nowhere")]) == 2


def test_an_audit_imports_no_torch(log: Path) -> None:
    code = (
        "import sys\n"
        "from pathlib import Path\n"
        "from sevenepochs.audit.target import audit_target\n"
        f"audit_target(Path({str(log)!r}))\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_a_tokenizer_that_keeps_everything(finished_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    tokenizer = str(finished_run.path / "tokenizer.json")
    assert main(["audit", "--tokenizer", tokenizer, "--corpus", "sample:100"]) == 0
    assert capsys.readouterr().out
    assert main(["audit", "--tokenizer", tokenizer, "--corpus", "sample:100", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["findings"] == []
    assert main(["audit", "--tokenizer", tokenizer]) == 2
