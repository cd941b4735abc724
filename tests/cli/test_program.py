"""The command line as a process: its version, Ctrl-C while torch loads, output that another program reads."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sevenepochs
from sevenepochs.cli.main import main
from sevenepochs.store.run import Run


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"sevenepochs {sevenepochs.__version__}\n"
    project = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert re.search(r'^version = "(.+)"$', project, re.MULTILINE)[1] == sevenepochs.__version__  # type: ignore[index]


@pytest.mark.parametrize("is_loading", [True, False])
def test_ctrl_c_ends_an_import_of_torch_in_good_order(is_loading: bool) -> None:
    code = (
        "import importlib.machinery, os, signal, sys, types\n"
        "from sevenepochs.cli.program import prepare\n"
        "prepare()\n"
        "torch = sys.modules['torch'] = types.ModuleType('torch')\n"
        "torch.__spec__ = importlib.machinery.ModuleSpec('torch', None)\n"
        f"torch.__spec__._initializing = {is_loading}\n"
        "try: os.kill(os.getpid(), signal.SIGINT)\n"
        "except KeyboardInterrupt: sys.exit('an exception')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == ((130, "interrupted\n") if is_loading else (1, "an exception\n"))


def test_json_keeps_its_letters_in_a_pipe_that_knows_ascii_only(finished_run: Run) -> None:
    command = [sys.executable, "-m", "sevenepochs", "predict", str(finished_run.path), "--text", "Ask · é", "--json"]
    seen = []
    for encoding in ("ascii", "utf-8"):
        done = subprocess.run(command, env={**os.environ, "PYTHONIOENCODING": encoding}, capture_output=True)
        seen.append(json.loads(done.stdout.decode(encoding)))
    assert seen[0] == seen[1] and "\ufffd" in seen[0]["context"]  # half of the é, which the tokenizer does not know


def test_a_pipe_gets_a_line_a_run_however_long_its_name(tmp_path: Path) -> None:
    run = tmp_path / f"20261127T000000Z_{'long' * 40}_s1337"
    run.mkdir()
    facts = {"schema_version": 1, "recipe": "x", "seed": 1, "created_utc": "2026-11-27T00:00:00"}
    (run / "run.json").write_text(json.dumps(facts))
    command = [sys.executable, "-m", "sevenepochs", "runs", "--runs", str(tmp_path)]
    wide = {key: value for key, value in os.environ.items() if key != "COLUMNS"}
    assert run.name in subprocess.run(command, env=wide, capture_output=True, text=True).stdout
    assert run.name not in subprocess.run(command, env={**wide, "COLUMNS": "60"}, capture_output=True, text=True).stdout
