"""`analyze`, `data`, `corpus` and what `publish` takes along, as a user meets them."""

import io
import json
import re
import shutil
from pathlib import Path

import pytest
from rich.console import Console

from sevenepochs.cli import console
from sevenepochs.cli.main import main
from sevenepochs.questions.registry import QUESTIONS
from sevenepochs.store.run import Run


@pytest.fixture
def run(finished_run: Run, tmp_path: Path) -> Run:
    """A copy that may be written to."""
    unanswered = shutil.ignore_patterns("analysis")  # other tests may have asked the shared run
    shutil.copytree(finished_run.path, tmp_path / "runs" / finished_run.name, ignore=unanswered)
    return Run(tmp_path / "runs" / finished_run.name)


def test_analyze_writes_json_and_figures_once_and_publish_takes_the_json(
    run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    assert main(["analyze", str(run.path)]) == 0
    shown = capsys.readouterr()
    assert "Does the model use its context?" in shown.out and "[pdf]" in shown.out
    assert "What it writes unprompted" in shown.out and "Layer by layer" in shown.out
    assert set(run.analysis_names()) >= set(QUESTIONS) - {"facts"}  # of runs that are told some
    written = {file.name for file in (run.path / "analysis").glob("*.svg")}
    assert {"collapse.svg", "calibration.svg", "where_loss_position.svg", "data_words.svg", "layers.svg"} <= written

    assert main(["analyze", str(run.path), "--only", "collapse", "--json"]) == 0
    shown = capsys.readouterr()
    content = json.loads(shown.out)["collapse"]
    assert content == run.analysis("collapse") and "analysis collapse" not in shown.err  # nothing computed again
    assert main(["analyze", str(run.path), "--only", "memorisation", "--again", "--no-figures"]) == 0
    assert "analysis memorisation" in capsys.readouterr().err

    assert main(["publish", str(run.path), "--results", str(tmp_path / "results")]) == 0
    published = {file.stem for file in (tmp_path / "results").glob("*/analysis/*")}
    assert published >= set(QUESTIONS) - {"extreme_titles", "facts"} and "extreme_titles" not in published
    titles = [row["text"] for row in run.analysis("extreme_titles")["worst"]]
    # contexts of next_token quote two places of the text, which in ten titles are most of them
    files = [file for file in (tmp_path / "results").rglob("*.json") if file.stem != "next_token"]
    text = "".join(file.read_text() for file in files)
    assert len(files) > 8 and len(titles[0]) > 10 and not any(title in text for title in titles)


def test_publish_without_analyses_keeps_the_losses_by_title(run: Run, tmp_path: Path) -> None:
    assert main(["publish", str(run.path), "--no-analyses", "--results", str(tmp_path / "results")]) == 0
    assert [file.stem for file in (tmp_path / "results").glob("*/analysis/*")] == ["title_losses"]


def test_the_help_names_every_question(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["analyze", "--help"])
    names = capsys.readouterr().out.partition("Some of:")[2].partition(".")[0]
    assert re.findall(r"\w+", names) == list(QUESTIONS)


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["analyze", "{run}", "--only", "colapse"], "did you mean 'collapse'"),
        (["analyze", "nowhere"], "nowhere"),
        (["analyze", "{run}", "--corpus", "sample:200", "--again"], "other titles"),
        (["data", "--column", "title"], "--corpus"),
        (["data", "nowhere"], "nowhere"),
        (["data", "--corpus", "nowhere.csv"], "nowhere.csv"),
    ],
)
def test_mistakes_are_one_line(
    arguments: list[str], expected: str, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([argument.format(run=run.path) for argument in arguments]) == 2
    error = capsys.readouterr().err.strip().splitlines()[-1]
    assert error.startswith("error: ") and expected in error
    assert not (run.path / "analysis").exists()


def test_data_with_and_without_a_run(run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", str(run.path), "--json"]) == 0
    with_run = json.loads(capsys.readouterr().out)
    assert with_run["n_titles"] == 90 and with_run["vocabulary"]["size"] == 300
    assert main(["data", "--corpus", "sample:100", "--json"]) == 0
    without = json.loads(capsys.readouterr().out)
    assert without["n_titles"] == 90 and without["words"] == with_run["words"]
    assert without["vocabulary"]["size"] > 300
    pytest.importorskip("matplotlib")
    assert main(["data", "--corpus", "sample:100", "--figures", str(tmp_path / "figures")]) == 0
    assert "<eos>" in capsys.readouterr().out
    assert {file.name for file in (tmp_path / "figures").iterdir()} == {"data_lengths.svg", "data_words.svg"}


def test_corpus_shows_words_in_columns(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["corpus", "sample:300"]) == 0
    shown = capsys.readouterr().out
    lines = [line.split() for line in shown.splitlines()]
    assert ["word", "count"] in [line[:2] for line in lines]
    assert ["titles", "300"] in [line[:2] for line in lines if len(line) > 1]
    assert "word hn" not in shown and "()" not in shown


def test_the_bar_starts_again_with_each_slow_analysis(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = Console(file=io.StringIO(), force_terminal=True, width=80)
    monkeypatch.setattr(console, "errors", terminal)
    with console.analysis_progress() as progress:
        for done, total in ((1, 3), (3, 3), (2, 10), (10, 10)):
            progress(done, total)
    assert "10/10" in terminal.file.getvalue() and "10/3" not in terminal.file.getvalue()  # type: ignore[attr-defined]
    with console.analysis_progress():
        pass  # nothing slow: no bar
