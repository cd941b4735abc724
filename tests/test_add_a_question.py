"""docs/add-a-question.md, followed to the letter: its file is loaded, answered, drawn, shown and published."""

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from sevenepochs.cli.main import main
from sevenepochs.questions.registry import QUESTIONS
from sevenepochs.store.run import Run

PAGE = (Path(__file__).parents[1] / "docs" / "add-a-question.md").read_text(encoding="utf-8")


@pytest.fixture
def file(tmp_path: Path) -> Iterator[Path]:
    """The page's file; what it registers is gone afterwards."""
    before = dict(QUESTIONS)
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)
    (tmp_path / "repeats.py").write_text(code, encoding="utf-8")
    yield tmp_path / "repeats.py"
    QUESTIONS.clear()
    QUESTIONS.update(before)


def test_it_is_answered_drawn_shown_and_published(
    file: Path, finished_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("matplotlib")
    run = Run(Path(shutil.copytree(finished_run.path, tmp_path / "runs" / finished_run.name)))
    assert main(["analyze", str(run.path), "--load", str(file), "--only", "repeats"]) == 0
    assert "says a word twice" in capsys.readouterr().out
    kinds = run.analysis("repeats")["kinds"]
    assert sum(kind["n_titles"] for kind in kinds) == 10
    assert all(0.5 < kind["nats_per_char"] < 5 for kind in kinds)
    assert "<svg" in (run.path / "analysis" / "repeats.svg").read_text(encoding="utf-8")
    assert main(["publish", str(run.path), "--no-analyses", "--results", str(tmp_path / "results")]) == 0
    assert len(list((tmp_path / "results").glob("*/analysis/repeats.json"))) == 1


def test_a_name_is_given_once(file: Path, finished_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    file.write_text(file.read_text().replace('Question("repeats"', 'Question("collapse"'))
    assert main(["analyze", str(finished_run.path), "--load", str(file), "--only", "collapse"]) == 2
    assert "'collapse'" in capsys.readouterr().err
