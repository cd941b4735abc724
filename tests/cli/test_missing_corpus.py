"""A run whose corpus is not where its config says: every verb names the cause and the command that works."""

from __future__ import annotations

import json
import shlex
import shutil
from pathlib import Path

import pytest

from sevenepochs.cli.main import main
from sevenepochs.data.corpus.file import FileCorpus
from sevenepochs.experiment import Experiment
from sevenepochs.store.run import Run, layout
from sevenepochs.training.trainer import run_training

CSV = "headline\n" + "".join(f"Title {n} caf\u00e9 {'ab' * (n % 7)}\n" for n in range(100))
VERBS = {
    "resume": ["resume", "{unfinished}"],
    "eval": ["eval", "{run}"],
    "analyze": ["analyze", "{run}", "--only", "token_frequency", "--no-figures"],
    "predict": ["predict", "{run}", "--title", "0"],
    "data": ["data", "{run}"],
    "publish": ["publish", "{run}", "--no-analyses", "--results", "{elsewhere}/results"],
}


@pytest.fixture(scope="module")
def project(tiny: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a corpus and two runs that know it by a relative path; the second is not finished."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "titles").mkdir()
    (folder / "titles" / "a b.csv").write_bytes(CSV.encode("cp1252"))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        corpus = FileCorpus("titles/a b.csv", "headline", "cp1252")
        run = run_training(tiny.replace_all({"corpus": corpus, "model.n_layer": 1}), "tiny", Path("runs"))
        shutil.copytree(run.path, folder / "runs" / "20200101T000000Z_tiny_s1")
    (folder / "runs" / "20200101T000000Z_tiny_s1" / layout.SUMMARY).unlink()
    return folder


@pytest.fixture
def arguments(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> list[str]:
    """The verb's, on runs that it may write to, from a folder beside theirs."""
    shutil.copytree(project, tmp_path / "project")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    unfinished, run = sorted((tmp_path / "project" / "runs").glob("*_s*"))
    given = {"run": str(run), "unfinished": str(unfinished), "elsewhere": str(tmp_path / "elsewhere")}
    return [word.format(**given) for word in VERBS[request.getfixturevalue("verb")]]


def said(capsys: pytest.CaptureFixture[str]) -> str:
    error = capsys.readouterr().err
    return next(line for line in error.splitlines() if line.startswith("error: "))


@pytest.mark.parametrize("verb", VERBS)
def test_a_path_relative_to_another_folder_is_told_and_the_advice_works(
    verb: str, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 2
    message = said(capsys)
    assert "titles/a b.csv" in message
    typed = shlex.split(message[message.index("--corpus") :])
    assert typed == ["--corpus", "../project/titles/a b.csv", "--column", "headline", "--encoding", "cp1252"]
    assert main([*arguments, *typed]) == 0
    for result in Path("results").glob("*/result.json"):  # publish: the command that repeats the run
        assert "--column headline --encoding cp1252" in json.loads(result.read_text())["command"]


@pytest.mark.parametrize("verb", VERBS)
def test_a_corpus_that_is_nowhere_is_told(
    verb: str, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(tmp_path / "project" / "titles")
    assert main(arguments) == 2
    assert "--corpus PATH --column headline --encoding cp1252" in said(capsys)
    assert main([*arguments, "--corpus", "none.csv"]) == 2  # nor does what is named then lead nowhere in silence
    assert "--corpus none.csv does not exist" in said(capsys)


@pytest.mark.parametrize("verb", ["eval"])
def test_a_run_from_before_there_were_encodings_is_told(
    verb: str, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = Run(Path(arguments[1])).path / layout.CONFIG
    file.write_text(file.read_text().replace('"encoding": "cp1252"', '"column": "headline"'))
    file.with_name(layout.SUMS).unlink()  # nor were there sums
    assert main(arguments) == 2
    assert "--corpus '../project/titles/a b.csv' --column headline" in said(capsys)
