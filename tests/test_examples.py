"""Every Python example that people read (README, docs, docstrings) runs in a process of its own, as they run it."""

import doctest
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# An example as it stands, on a small model: what every recipe that it loads is made of.
SHRUNK = """
import runpy
import sys
import sevenepochs.recipes.catalog as catalog

whole = catalog.load_recipe
catalog.load_recipe = lambda name: whole(name).replace_all({
    "corpus": "corpus.sample:SampleCorpus", "corpus.n_titles": 60, "tokenizer.vocab_size": 300,
    "batches.batch_size": 8, "batches.block_size": 32, "model.n_layer": 1, "model.n_head": 2, "model.d_model": 16,
    "training.device": "cpu", "training.compile": "off",
})
runpy.run_path(sys.argv[1])
"""


def examples() -> dict[str, str]:
    """Name to code: fenced `python` blocks of Markdown, and what follows `>>>` in docstrings of the package."""
    found = {}
    for file in [ROOT / "README.md", *sorted((ROOT / "docs").glob("**/*.md")), *sorted((ROOT / "site").glob("*.md"))]:
        for i, code in enumerate(re.findall(r"```python\n(.*?)```", file.read_text(encoding="utf-8"), flags=re.DOTALL)):
            found[f"{file.relative_to(ROOT)}-{i}"] = code
    del found["docs/export.md-0"]  # reads an exported folder: tests/export/test_onnx.py runs it on one
    for file in sorted((ROOT / "src").glob("**/*.py")):
        text = file.read_text(encoding="utf-8")
        if lines := doctest.DocTestParser().get_examples(text) if ">>> " in text else []:
            found[str(file.relative_to(ROOT / "src"))] = "".join(line.source for line in lines)
    return found


EXAMPLES = examples()


def run(code: str, folder: Path, *prelude: str) -> str:
    """Standard output of the code in a fresh process; the package as the checkout has it."""
    (folder / "example.py").write_text(code, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    command = [sys.executable, *prelude, "example.py"]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=1500)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_examples_are_found() -> None:
    assert {"README.md-0", "docs/add-a-technique.md-0", "sevenepochs/__init__.py"} <= set(EXAMPLES)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_runs_in_a_fresh_process(name: str, tmp_path: Path) -> None:
    printed = run(EXAMPLES[name], tmp_path, "-c", SHRUNK)
    if name == "README.md-0":
        assert float(printed) > 0, "the loss, and nothing else where nobody watches"


@pytest.mark.long
def test_the_readmes_example_runs_as_written(tmp_path: Path) -> None:
    assert 0 < float(run(EXAMPLES["README.md-0"], tmp_path)) < 2
