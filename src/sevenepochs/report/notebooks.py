"""Executed notebooks as the site takes them. None is executed here.

A notebook that was executed from the very results of the site, or elsewhere by somebody (on Colab, on a run of their
own), is taken as it is, byte for byte. One that was executed from other results than these would show outdated
figures: in its copy the labelled cells are drawn again from the site's results, all other outputs are left out, and a
note says so. No torch.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from sevenepochs.errors import UserError
from sevenepochs.report.cells import CELLS
from sevenepochs.report.chapter import Chapters, inputs_line

LABEL = re.compile(r"^#\|\s*label:\s*(\S+)\s*$", re.MULTILINE)
_INPUTS = re.compile(r"^inputs \(results\): .*$", re.MULTILINE)
_TITLE = re.compile(r"^# (.*)$", re.MULTILINE)
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
    """Return every notebook of a folder, ready for the site, by name.

    Raises:
        UserError: a notebook that is damaged, was never executed, or carries a label that another one has.
    """
    notebooks = [_read(file, chapters) for file in sorted(folder.glob("*.ipynb"))]
    owner: dict[str, str] = {}
    for notebook in notebooks:
        for label in notebook.labels:
            if owner.setdefault(label, notebook.name) != notebook.name:
                raise UserError(f"cells of {owner[label]}.ipynb and {notebook.name}.ipynb are both labelled {label}")
    return notebooks


def shipped_folder(name: str) -> Path:
    """Return a folder of the repository that ships below this package in a wheel.

    Raises:
        UserError: neither place has it.
    """
    shipped = Path(str(resources.files("sevenepochs.report").joinpath(name)))
    in_repository = Path(__file__).parents[3] / name
    for folder in (shipped, in_repository):
        if folder.is_dir():
            return folder
    raise UserError(f"this installation has no {name}/ folder; install sevenepochs from its repository or wheel")


def _read(file: Path, chapters: Chapters) -> Notebook:
    try:
        text = file.read_text(encoding="utf-8")
        notebook = json.loads(text)
        prose, code = ([c for c in notebook["cells"] if c["cell_type"] == kind] for kind in ("markdown", "code"))
        titles = [match.group(1).strip() for cell in prose for match in _TITLE.finditer("".join(cell["source"]))]
        labels = [label for cell in code for label in LABEL.findall("".join(cell["source"]))]
        outputs = [output for cell in code for output in cell.get("outputs", [])]
        texts = [output.get("text") or output.get("data", {}).get("text/plain") or "" for output in outputs]
        told = _INPUTS.search("\n".join(map("".join, texts)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{file} is no readable notebook ({type(error).__name__}: {error})") from None
    if len(set(labels)) < len(labels):
        raise UserError(f"{file} uses a label twice; labels name one cell each")
    for output in outputs:
        if output.get("output_type") == "error":
            raise UserError(f"{file} ended in an error ({output.get('ename')}); execute it again, or take it out")
    if not outputs:
        raise UserError(f"{file} was never executed; execute it (make notebooks), or take it out")
    redrawn = told is not None and told.group() != inputs_line(chapters.story, "results")
    if redrawn:
        text = _redrawn(notebook, chapters)
    return Notebook(file.stem, next(filter(None, titles), file.stem), text, tuple(labels), redrawn)


def _redrawn(notebook: dict[str, Any], chapters: Chapters) -> str:
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            cell["outputs"], cell["execution_count"] = [], None
            label = LABEL.search("".join(cell["source"]))
            if label and label.group(1) in CELLS:
                bundle = CELLS[label.group(1)].show(chapters).bundle()
                cell["outputs"] = [{"output_type": "display_data", "metadata": {}, "data": bundle}]
    note = {"cell_type": "markdown", "id": "drawn-for-this-site", "metadata": {}, "source": _NOTE}
    notebook["cells"].insert(1, note)  # below the title
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"
