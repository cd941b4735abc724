"""Every verb in surroundings that once gave tracebacks: an answer, or one line that says what is wrong."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from sevenepochs.store.run import Run

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="forks and limits as Linux has them")

SMALL = [
    *("--set", "tokenizer.vocab_size=300", "--set", "batches.batch_size=8", "--set", "batches.block_size=32"),
    *("--set", "model.n_layer=1", "--set", "model.n_head=2", "--set", "model.d_model=16"),
    *("--set", "training.device=cpu", "--set", "training.precision=fp32", "--set", "training.compile=off"),
]
# Work of each verb that takes about a second, and its exit code where nothing is wrong. CORPUS stands for titles, of
# which the runs need none but their own.
VERBS: dict[str, tuple[int, list[str]]] = {
    "demo": (2, ["--runs", "file"]),
    "train": (0, ["adamw", "CORPUS", *SMALL]),
    "resume": (2, ["tiny", "CORPUS"]),
    "eval": (0, ["tiny", "CORPUS"]),
    "compare": (2, ["tiny", "absent", "CORPUS"]),
    "noise": (2, ["tiny"]),
    "ensemble": (2, ["tiny", "CORPUS"]),
    "ladder": (0, ["adamw", "CORPUS", "--dry-run", *SMALL]),
    "search": (0, ["adamw", "CORPUS", "--trials", "0", *SMALL]),
    "anchors": (0, ["adamw", "CORPUS", "--set", "tokenizer.vocab_size=300"]),
    "runs": (0, []),
    "list": (0, []),
    "show": (0, ["adamw", "CORPUS", *SMALL]),
    "predict": (0, ["tiny", "--title", "1", "CORPUS", "--figure", "predict.svg"]),
    "sample": (0, ["tiny", "--n", "1", "--max-tokens", "3", "CORPUS"]),
    "inside": (0, ["tiny", "--text", "Ask · é"]),
    "serve": (2, ["absent", "CORPUS"]),
    "analyze": (0, ["tiny", "--only", "token_frequency", "--again", "CORPUS"]),
    "data": (0, ["CORPUS"]),
    "corpus": (0, ["TITLES"]),
    "publish": (0, ["tiny", "--no-analyses", "CORPUS"]),
    "report": (2, ["absent"]),
    "export": (2, ["tiny", "--to", "absent", "--out", "exported"]),
    "audit": (0, ["runs/RUN", "--markdown", "audit.md"]),
    "leaderboard": (0, ["runs/RUN"]),
}
SOME = ("train", "predict", "runs", "serve")  # the default tests' part: all verbs in all surroundings take minutes
SOME_OR_ALL = pytest.mark.parametrize(
    "verbs", [SOME, pytest.param(tuple(VERBS), marks=pytest.mark.long)], ids=["some", "all"]
)
BEGINS_WITH_TITLES = sorted(verb for verb, (code, words) in VERBS.items() if code == 0 and "CORPUS" in words)


def command_line(verb: str, titles: str, run: str) -> list[str]:
    words = VERBS[verb][1]
    asks_a_run = words[0] in ("tiny", "absent") if words else False
    option = [] if asks_a_run and titles == "titles.txt" else ["--corpus", titles]  # a run has titles of its own
    spelled = {"CORPUS": option, "TITLES": [titles], "runs/RUN": [f"runs/{run}"]}
    return [verb, *(part for word in words for part in spelled.get(word, [word]))]


def outcomes(
    surroundings: str, run: Run, folder: Path, titles: str = "titles.txt", verbs: Iterable[str] = VERBS
) -> dict[str, dict[str, Any]]:
    """Exit code and output of the verbs, each in a fork of one process."""
    shutil.copytree(run.path, folder / "runs" / run.path.name)
    some = [f"Show HN: title {number} of {number**2 % 97} · é – 日本" for number in range(100)]
    (folder / "titles.txt").write_text("\n".join(some))
    pq.write_table(pa.Table.from_arrays([pa.array(some)] * 2, ["title", "title"]), folder / "twice.parquet")
    (folder / "file").write_text("")
    cases = [
        {
            "surroundings": surroundings,
            "arguments": command_line(verb, titles, run.path.name),
            "folder": str(folder),
        }
        for verb in verbs
    ]
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("surroundings.py"))],
        input=json.dumps(cases),
        capture_output=True,
        text=True,
        env={**os.environ, "COLUMNS": "100", "HF_HUB_OFFLINE": "1"},
    )
    assert done.returncode == 0, done.stderr
    return dict(zip(verbs, json.loads(done.stdout), strict=True))


def is_answer_or_line(outcome: dict[str, Any]) -> bool:
    lines = outcome["err"].splitlines()
    if "Traceback" in outcome["err"] or "Exception ignored" in outcome["err"]:
        return False
    return outcome["code"] == 0 or (outcome["err"].count("error: ") == 1 and lines[-1].startswith("error: "))


@SOME_OR_ALL
@pytest.mark.parametrize("surroundings", ["ascii_output", "no_account", "closed_output", "file_size_limit"])
def test_every_verb_answers_or_says_why_in_one_line(
    surroundings: str, verbs: tuple[str, ...], finished_run: Run, tmp_path: Path
) -> None:
    found = outcomes(surroundings, finished_run, tmp_path, verbs=verbs)
    assert {verb: outcome for verb, outcome in found.items() if not is_answer_or_line(outcome)} == {}
    if surroundings != "file_size_limit":
        assert {verb: outcome["code"] for verb, outcome in found.items()} == {verb: VERBS[verb][0] for verb in verbs}


@SOME_OR_ALL
def test_every_verb_on_parquet_with_two_title_columns(
    verbs: tuple[str, ...], finished_run: Run, tmp_path: Path
) -> None:
    found = outcomes("plain", finished_run, tmp_path, "twice.parquet", verbs)
    assert {verb: outcome for verb, outcome in found.items() if not is_answer_or_line(outcome)} == {}
    said = {verb for verb, outcome in found.items() if "2 columns 'title'" in outcome["err"]}
    assert said >= {*BEGINS_WITH_TITLES, "corpus"} & set(verbs)


def test_output_in_cp1252(finished_run: Run, tmp_path: Path) -> None:
    found = outcomes("cp1252_output", finished_run, tmp_path, verbs=("data", "predict"))
    assert {verb: outcome["code"] for verb, outcome in found.items()} == {"data": 0, "predict": 0}, found


def test_every_verb_has_its_line() -> None:
    text = subprocess.run([sys.executable, "-m", "sevenepochs", "--help"], capture_output=True, text=True).stdout
    assert set(re.findall(r"^\W{3,8}([a-z]+) {2,}\S", text, re.MULTILINE)) == set(VERBS)
