"""Compare what an earlier commit and this tree draw, compute and print, byte for byte.

    python tests/unchanged.py COMMIT [results] [docs] [cells] [run]

checks COMMIT out into a temporary worktree, makes the same dump there and here, and prints every name that differs.
It exits with 1 if one does. All takes some minutes of processor time; a dump, or the part that is named, holds the
sha256 of

- results: each figure of each results/*/analysis/*.json of this tree, and the same JSON as the terminal shows it,
- docs: the figures and tables that `make docs` writes into docs/,
- cells: each labelled cell of the notebooks, from the commit's own results,
- run: the standard analyses of a tiny run trained here, and what `inside` and `predict` answer about it.

Modules have moved: a name is looked up at each place where it was. Figures of results that one commit lacks differ.
"""

from __future__ import annotations

import hashlib
import importlib
import io
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
TEXT = "Ask HN: what do you use?"
TINY: dict[str, Any] = {
    "tokenizer.vocab_size": 300,
    "batches.batch_size": 8,
    "batches.block_size": 32,
    "model.n_layer": 2,
    "model.n_head": 2,
    "model.d_model": 16,
    "training.device": "cpu",
    "training.precision": "fp32",
    "training.compile": "off",
    "training.snapshots": True,
}


def main(commit: str, *parts: str) -> int:
    """Print what differs between the commit and this tree; return the exit code."""
    with tempfile.TemporaryDirectory() as folder:
        tree = Path(folder) / "tree"
        subprocess.run(["git", "worktree", "add", "--quiet", "--detach", tree, commit], cwd=ROOT, check=True)
        try:
            before, after = dump_of(tree, parts), dump_of(ROOT, parts)
        finally:
            subprocess.run(["git", "worktree", "remove", "--force", tree], cwd=ROOT, check=True)
    differing = [name for name in sorted({*before, *after}) if before.get(name) != after.get(name)]
    for name in differing:
        where = "differs" if name in before and name in after else "only here" if name in after else "only there"
        print(f"{where}: {name}")
    print(f"{len(differing)} of {len({*before, *after})} differ from {commit}")
    return 1 if differing else 0


def dump_of(tree: Path, parts: Sequence[str]) -> dict[str, str]:
    """The dump of a checked-out tree, made by a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(tree / "src"), "OMP_NUM_THREADS": "1", "COLUMNS": "120"}
    command = [sys.executable, __file__, "--dump", *parts]
    done = subprocess.run(command, cwd=tree, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout))


def dump(parts: Sequence[str]) -> dict[str, str]:
    """Name to sha256, for the tree in the current folder, whose package is imported."""
    makers = {"results": of_results, "docs": of_docs, "cells": of_cells, "run": of_a_tiny_run}
    chosen = [makers[part] for part in parts or makers]
    return {name: hashlib.sha256(text.encode()).hexdigest() for make in chosen for name, text in make()}


def of_results() -> Iterator[tuple[str, str]]:
    for file in sorted((ROOT / "results").glob("*/analysis/*.json")):
        content = json.loads(file.read_text(encoding="utf-8"))
        run = file.parts[-3]
        for name, svg in figures(file.stem, content, run).items():
            yield f"svg {run} {name}", svg
        yield f"view {run} {file.stem}", view(file.stem, content)


def of_docs() -> Iterator[tuple[str, str]]:
    """`make docs` rewrites files that are in the repository, in a copy of them."""
    with tempfile.TemporaryDirectory() as folder:
        for name in ("docs", "results", "README.md"):
            subprocess.run(["cp", "-r", name, folder], check=True)
        command = [sys.executable, "-m", "sevenepochs.report.write_docs"]
        subprocess.run(command, cwd=folder, check=True, stdout=subprocess.DEVNULL)
        for file in (*sorted(Path(folder, "docs/figures").glob("*.svg")), Path(folder, "docs/looking-inside.md")):
            text = file.read_text(encoding="utf-8")
            yield f"docs {file.name}", text if file.suffix == ".svg" else between_markers(text)


def between_markers(text: str) -> str:
    """The generated part of a page; the rest is prose."""
    return "".join(part.partition(":end -->")[0] for part in text.split(":start -->")[1:])


def of_cells() -> Iterator[tuple[str, str]]:
    chapters = attribute("api:open_story")("results")
    for label, cell in attribute("report.cells:CELLS").items():
        yield f"cell {label}", json.dumps([cell.alt, cell.show(chapters).bundle()])


def of_a_tiny_run() -> Iterator[tuple[str, str]]:
    import torch

    torch.set_num_threads(1)
    corpus = attribute("data.corpus.sample:SampleCorpus", "corpus.sample:SampleCorpus")(n_titles=100)
    experiment = attribute("recipes.catalog:load_recipe")("adamw").replace_all({**TINY, "corpus": corpus})
    with tempfile.TemporaryDirectory() as folder:
        os.environ["SEVENEPOCHS_CACHE"] = str(Path(folder, "cache"))
        train = attribute("training.trainer:run_training", "train.trainer:run_training")
        trained = train(experiment, "tiny", Path(folder))
        run = type(trained)(trained.path.rename(trained.path.parent / "tiny"))  # its name tells the time
        attribute("questions.registry:analyze", "questions.standard:analyze", "analysis.standard:analyze")(run)
        for file in sorted((run.path / "analysis").glob("*.json")):
            text = file.read_text(encoding="utf-8")
            yield f"json {file.stem}", text
            yield f"view tiny {file.stem}", view(file.stem, json.loads(text))
        for name in ("attention", "lens", "neighbours", "time"):
            for command in (["--json"], [], *([["--layer", "1", "--head", "2"]] if name == "attention" else [])):
                yield from shown(["inside", str(run.path), "--text", TEXT, "--view", name, *command], Path(folder))
        for question in (["--text", TEXT], ["--at", "0,10"], ["--title", "3"], ["--title", "3", "--against", run.path]):
            for command in (["--json"], []):
                yield from shown(["predict", str(run.path), *map(str, question), *command], Path(folder))


def shown(command: list[str], folder: Path) -> Iterator[tuple[str, str]]:
    """What a command prints, and its figure."""
    svg = folder / "answer.svg"
    done = subprocess.run(
        [sys.executable, "-m", "sevenepochs", *command, "--figure", str(svg)], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    name = " ".join(word.replace(str(folder), "") for word in command)
    yield f"inside {name}", done.stdout.replace(str(folder), "")
    yield f"inside {name}: figure", svg.read_text(encoding="utf-8")


def figures(name: str, content: Any, run: str) -> dict[str, str]:
    try:
        questions = attribute("questions.registry:QUESTIONS")
    except LookupError:
        old = attribute("questions.figures.registry:figures", "plots.registry:figures")
        return dict(old(name, content, run))
    return questions[name].figures(content, run) if name in questions else {}


def view(name: str, content: Any) -> str:
    """What rich prints, 120 columns wide."""
    from rich.console import Console

    try:
        question = attribute("questions.registry:QUESTIONS").get(name)
        shows = question.view if question else None
    except LookupError:
        shows = attribute("cli.analysis_views:VIEWS").get(name)
    console = Console(file=io.StringIO(), width=120, force_terminal=True)
    if shows is not None:
        console.print(shows(content))
    return console.file.getvalue()  # type: ignore[attr-defined]


def attribute(*places: str) -> Any:
    """The first of module:name below the package that exists."""
    for place in places:
        module, _, name = place.partition(":")
        try:
            return getattr(importlib.import_module(f"sevenepochs.{module}"), name)
        except (ModuleNotFoundError, AttributeError):
            continue
    raise LookupError(f"the package has none of {places}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--dump"]:
        out, sys.stdout = sys.stdout, sys.stderr
        json.dump(dump(sys.argv[2:]), out, indent=0, sort_keys=True)
    elif len(sys.argv) > 1:
        sys.exit(main(*sys.argv[1:]))
    else:
        sys.exit(__doc__)
