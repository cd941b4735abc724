"""Notebooks: `make notebooks` executes notebooks/*.py (jupytext, py:percent), the site reads the executed .ipynb files.

A notebook that was executed from the very results of the site, or elsewhere by somebody (on Colab, on a run of their
own), is taken as it is, byte for byte. One that was executed from other results than these would show outdated
figures: in its copy the labelled cells are drawn again from the site's results, all other outputs are left out, and a
note says so. No torch.
"""

from __future__ import annotations

import json
import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sevenepochs.errors import UserError, install
from sevenepochs.report.cells import CELLS
from sevenepochs.report.chapter import Chapters, inputs_line

_LABEL = re.compile(r"^#\|\s*label:\s*(\S+)\s*$", re.MULTILINE)
_INPUTS = re.compile(r"^inputs \(results\): .*$", re.MULTILINE)
_RUN = re.compile(r'^RUN = ".*"$', re.MULTILINE)
_TITLE = re.compile(r"^# (.*)$", re.MULTILINE)
_CELL_TIMEOUT_SECONDS = 24 * 3600  # a cell may train
_NOTE = (
    "**Drawn for this site.** This notebook was last executed from other results than those of this site. Its labelled"
    " figures were drawn again by the same functions from the site's results; its other outputs are left out."
)


@dataclass(frozen=True)
class Notebook:
    """`name` is the file's stem; `text` the .ipynb file; `labels` its labelled cells; `redrawn` as above."""

    name: str
    title: str
    text: str
    labels: tuple[str, ...]
    redrawn: bool


def read_notebooks(folder: Path, chapters: Chapters) -> list[Notebook]:
    """Return every notebook of a folder, ready for the site, by name. Raises UserError: a notebook that is damaged, was
    never executed, or carries a label twice or one that another notebook has."""
    notebooks = [_read(file, chapters) for file in sorted(folder.glob("*.ipynb"))]
    owner: dict[str, str] = {}
    for name, label in ((notebook.name, label) for notebook in notebooks for label in notebook.labels):
        if label in owner:
            raise UserError(f"cells of {owner[label]}.ipynb and {name}.ipynb are both labelled {label}")
        owner[label] = name
    return notebooks


def shipped_folder(name: str) -> Path:
    """Return a folder of the repository that ships below this package in a wheel. Raises UserError: neither place has
    it."""
    for root in (Path(__file__).parent, Path(__file__).parents[3]):
        if (root / name).is_dir():
            return root / name
    raise UserError(f"this installation has no {name}/ folder; install sevenepochs from its repository or wheel")


def _read(file: Path, chapters: Chapters) -> Notebook:
    try:
        text = file.read_text(encoding="utf-8")
        notebook = json.loads(text)
        prose, code = ([c for c in notebook["cells"] if c["cell_type"] == kind] for kind in ("markdown", "code"))
        titles = [match.group(1).strip() for cell in prose for match in _TITLE.finditer("".join(cell["source"]))]
        labels = [label for cell in code for label in _LABEL.findall("".join(cell["source"]))]
        outputs = [output for cell in code for output in cell.get("outputs", [])]
        texts = [output.get("text") or output.get("data", {}).get("text/plain") or "" for output in outputs]
        told = _INPUTS.search("\n".join(map("".join, texts)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{file} is no readable notebook ({type(error).__name__}: {error})") from None
    for output in outputs:
        if output.get("output_type") == "error":
            raise UserError(f"{file} ended in an error ({output.get('ename')}); execute it again, or take it out")
    if not outputs:
        raise UserError(f"{file} was never executed; execute it (make notebooks), or take it out")
    redrawn = told is not None and told.group() != inputs_line(chapters.story, "results")
    text = _redrawn(notebook, chapters) if redrawn else text
    return Notebook(file.stem, next(filter(None, titles), file.stem), text, tuple(labels), redrawn)


def _redrawn(notebook: dict[str, Any], chapters: Chapters) -> str:
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
            label = _LABEL.search("".join(cell["source"]))
            if label and label.group(1) in CELLS:
                bundle = CELLS[label.group(1)].show(chapters).bundle()
                cell["outputs"] = [{"output_type": "display_data", "metadata": {}, "data": bundle}]
    note = {"cell_type": "markdown", "id": "drawn-for-this-site", "metadata": {}, "source": _NOTE}
    notebook["cells"].insert(1, note)  # below the title
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def execute(source: Path, target: Path, run: str | None = None) -> None:
    """Execute a py:percent file in its folder into the .ipynb `target`; the same results give the same bytes. `run`
    replaces the RUN that the source sets. Raises UserError: the `notebooks` extra is not installed, the source sets no
    RUN, or a cell failed."""
    try:
        import jupytext
        import nbformat
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError
    except ImportError as error:
        raise UserError(f"notebooks need {error.name}: {install('notebooks')}") from None
    text = source.read_text(encoding="utf-8")
    if run is not None:
        text, n_replaced = _RUN.subn(lambda _: f'RUN = "{run}"', text, count=1)
        if not n_replaced:
            raise UserError(f"{source} sets no RUN")
    notebook = jupytext.reads(text, fmt="py:percent")
    where = {"metadata": {"path": str(source.parent)}}
    limits: dict[str, Any] = {"timeout": _CELL_TIMEOUT_SECONDS, "startup_timeout": 600}  # busy machines start slowly
    try:
        NotebookClient(notebook, kernel_name="python3", record_timing=False, resources=where, **limits).execute()
    except CellExecutionError as error:
        raise UserError(f"{source} failed: {error.ename}: {error.evalue}") from None
    # Names of cells that do not change, and no versions of whoever executed it.
    for number, cell in enumerate(notebook.cells):
        label = _LABEL.search(cell.source) if cell.cell_type == "code" else None
        cell.id = label.group(1).replace("_", "-") if label else f"cell-{number}"
        cell.metadata = {}
    kernel = {"display_name": "Python 3", "language": "python", "name": "python3"}
    notebook.metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    nbformat.validate(notebook)
    target.write_text(nbformat.writes(notebook, version=4) + "\n", encoding="utf-8", newline="\n")


def main(folder: Path) -> int:
    """Execute every source of a folder; return the exit code."""
    try:
        sources = sorted(folder.glob("*.py"))
        if not sources:
            raise UserError(f"{folder} holds no notebook sources")
        for source in sources:
            print(f"{source} ...", flush=True)
            execute(source, source.with_suffix(".ipynb"))
        return 0
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "notebooks")))
