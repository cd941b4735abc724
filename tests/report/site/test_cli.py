"""`sevenepochs report`, as a user types it."""

from pathlib import Path

import pytest

from sevenepochs.cli.main import main


def test_report_from_results(needs_myst: None, story_results: Path, tmp_path: Path) -> None:
    out = tmp_path / "site"
    assert main(["report", str(story_results), "--out", str(out), "--sources", str(tmp_path / "sources")]) == 0
    assert (out / "index.html").is_file() and (out / "initial-run.html").is_file()
    assert (tmp_path / "sources" / "myst.yml").is_file()
    assert "3.2109" in (out / "initial-run.html").read_text()


@pytest.mark.long
def test_every_node_of_our_own_pages_has_a_handler(needs_myst: None, tmp_path: Path) -> None:
    """All results tell the whole story; a node type without a handler stops the build and is named."""
    results = Path(__file__).parents[3] / "results"
    assert main(["report", str(results), "--out", str(tmp_path / "site")]) == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["nothing-here"], "nothing-here"),
        (["--base-url", "someone.github.io"], "write it in full"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    words: list[str],
    message: str,
    needs_myst: None,
    story_results: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(story_results.parent)
    assert main(["report", *words, "--out", "site"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and message in error
    assert sorted(path.name for path in tmp_path.iterdir()) == ["results"]


def test_a_damaged_result_is_named_and_the_earlier_site_stays(
    needs_myst: None, story_results: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "site"
    out.mkdir()
    (out / ".sevenepochs-site").write_text("")
    (out / "index.html").write_text("earlier")
    broken = next(story_results.iterdir()) / "result.json"
    broken.write_text(broken.read_text()[:100])
    assert main(["report", str(story_results), "--out", str(out)]) == 2
    assert broken.parent.name in capsys.readouterr().err
    assert (out / "index.html").read_text() == "earlier"
