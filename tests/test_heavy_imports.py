"""What needs no torch imports none, nor other slow packages: one process does it all, the strictest first."""

import json
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from sevenepochs.store.run import Run

ROOT = Path(__file__).parents[1]
CONTRACT = "Reading a run, the budget and the report need no torch"
PLACE = {
    "row": 0,
    "position": 10,
    "context": "Ring",
    "top": [{"id": 1, "token": "<eos>", "probability": 0.5}],
    "truth": {"id": 1, "token": "<eos>", "probability": 0.5, "rank": 1, "surprisal_bits": 1.0},
}
LOG = {"event": "validation_step", "step": 1, "max_steps": 1, "loss": 1.7}
DATA = "torch pyarrow tokenizers huggingface_hub matplotlib"
# name: (the packages that must not be there after it, the code). A step may rely on what came before it.
STEPS = {
    "a kind": (
        f"{DATA} sevenepochs.data.corpus.hub",
        "from sevenepochs.data.corpus.base import CorpusConfig\n"
        "CorpusConfig.from_dict({'kind': 'sample', 'n_titles': 100})",
    ),
    "predict from a published result": (
        "torch pyarrow tokenizers numpy.random matplotlib",
        "from sevenepochs.cli.main import main\n"
        "assert main(['predict', 'result', '--at', '0,10', '--top-k', '1']) == 0",
    ),
    "--help": (DATA, "ends(main, ['--help'])"),
    "list": (DATA, "assert main(['list']) == 0"),
    "train --help": (DATA, "ends(main, ['train', '--help'])"),
    "the ladder's names": (DATA, "from sevenepochs.recipes.listing import LADDER\nassert LADDER"),
    "corpora": (
        DATA,
        "import sevenepochs.data.corpus.describe, sevenepochs.data.corpus.hub, sevenepochs.data.corpus.file,"
        " sevenepochs.data.corpus.parquet",
    ),
    "benchmarks": ("torch", f"sys.path.insert(0, {str(ROOT / 'benchmarks')!r})\nimport bench"),
    "an audit": ("torch", "from sevenepochs.audit.target import audit_target\naudit_target(Path('mainrun.log'))"),
    "data": ("torch", "assert main(['data', '--corpus', 'sample:50']) == 0"),
    "an analysis that is there": (
        "torch",
        "assert main(['analyze', 'runs/x', '--only', 'token_frequency', '--no-figures', '--json']) == 0",
    ),
    "figures, without matplotlib": (
        "torch",
        "sys.modules['matplotlib'] = None\n"
        "from sevenepochs.errors import UserError\n"
        "from sevenepochs.questions.registry import QUESTIONS\n"
        "from sevenepochs.questions.figures import curves, ladder\n"
        "top = [{'token': 'a', 'count': 1, 'share': 1.0}]\n"
        "try: QUESTIONS['token_frequency'].figures({'n_tokens': 1, 'top': top})\n"
        "except UserError as error: assert '.[plots]' in str(error)\n"
        "else: raise AssertionError('drawn without matplotlib')\n"
        "del sys.modules['matplotlib']",
    ),
    "every module of the contract": ("torch", "import_all(modules)"),
}
PROGRAM = """
import contextlib, importlib, io, json, pkgutil, sys, traceback
from pathlib import Path

def ends(main, arguments):
    with contextlib.suppress(SystemExit):
        main(arguments)

def import_all(names):
    for name in names:
        module = importlib.import_module(name)
        for inner in pkgutil.walk_packages(getattr(module, "__path__", ()), name + "."):
            importlib.import_module(inner.name)

steps, modules = json.load(sys.stdin)
found = {}
for name, (forbidden, code) in steps.items():
    said = io.StringIO()
    try:
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            exec(code)
        found[name] = sorted(set(forbidden.split()) & set(sys.modules))
    except BaseException:
        found[name] = traceback.format_exc() + said.getvalue()
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def found(finished_run: Run, tmp_path_factory: pytest.TempPathFactory) -> dict[str, object]:
    """What each step imported that it should not have, or its traceback."""
    folder = tmp_path_factory.mktemp("place")
    (folder / "result" / "analysis").mkdir(parents=True)
    (folder / "result" / "result.json").write_text("{}")
    (folder / "result" / "analysis" / "next_token.json").write_text(json.dumps({"places": [PLACE]}))
    (folder / "mainrun.log").write_text(json.dumps(LOG) + "\n")
    run = folder / "runs" / "x"
    shutil.copytree(finished_run.path, run)
    (run / "analysis").mkdir(exist_ok=True)
    (run / "analysis" / "token_frequency.json").write_text('{"n_tokens": 1, "top": []}')
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [modules] = [contract["source_modules"] for contract in contracts if contract["name"] == CONTRACT]
    # a case asks a model; the registry and the questions in it do not
    modules = ["sevenepochs.questions.registry" if name == "sevenepochs.questions" else name for name in modules]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        input=json.dumps([STEPS, modules]),
        cwd=folder,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


@pytest.mark.parametrize("step", STEPS)
def test_it_imports_nothing_heavy(step: str, found: dict[str, object]) -> None:
    assert found[step] == []
