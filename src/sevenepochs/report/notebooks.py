"""Executed notebooks as the site takes them. None is executed here.

A notebook that was executed from the very results of the site, or elsewhere by somebody (on Colab, on a run of their
own), is taken as it is, byte for byte. One that was executed from other results than these would show what is no
longer so: in its copy the labelled cells are drawn again from the site's results, all other outputs are left out,
and a note says it. No torch.
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

_LABEL = re.compile(r"^#\|\s*label:\s*(\S+)\s*$", re.MULTILINE)
_INPUTS = re.compile(r"^inputs \(results\): .*$", re.MULTILINE)
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
    """Every notebook of a folder, ready for the site, by name.

    Raises:
        UserError: a notebook that is damaged, was never executed, or carries a label that another one has.
    """
    notebooks = [_read(file, chapters) for file in sorted(folder.glob("*.ipynb"))]
    owner: dict[str, str] = {}
    for notebook in notebooks:
        for label in notebook.labels:
            if label in owner:
                raise UserError(f"cells of {owner[label]}.ipynb and {notebook.name}.ipynb are both labelled {label}")
            owner[label] = notebook.name
    return notebooks


def notebooks_folder() -> Path:
    """Where the project's own notebooks are: shipped in the package, or the repository it was installed from.

    Raises:
        UserError: neither has them.
    """
    return shipped_folder("notebooks")


def shipped_folder(name: str) -> Path:
    """A folder of the repository that ships below this package in a wheel.

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
        cells = notebook["cells"]
        code = [cell for cell in cells if cell["cell_type"] == "code"]
        title = _title(cells) or file.stem
        labels = [label for cell in code for label in _LABEL.findall(_source(cell))]
        outputs = "\n".join(_plain_text(cell) for cell in code)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UserError(f"{file} is no readable notebook ({type(error).__name__}: {error})") from None
    if len(set(labels)) < len(labels):
        raise UserError(f"{file} uses a label twice; labels name one cell each")
    errors = [out for cell in code for out in cell.get("outputs", []) if out.get("output_type") == "error"]
    if errors:
        raise UserError(f"{file} ended in an error ({errors[0].get('ename')}); execute it again, or take it out")
    told = _INPUTS.search(outputs)
    if told is None and not any(cell.get("outputs") for cell in code):
        raise UserError(f"{file} was never executed; execute it (make notebooks), or take it out")
    if told is None or told.group() == inputs_line(chapters.story, "results"):
        return Notebook(file.stem, title, text, tuple(labels), redrawn=False)
    return Notebook(file.stem, title, _redrawn(notebook, chapters), tuple(labels), redrawn=True)


def _redrawn(notebook: dict[str, Any], chapters: Chapters) -> str:
    for cell in notebook["cells"]:
        if cell["cell_type"] == "code":
            label = next(iter(_LABEL.findall(_source(cell))), None)
            cell["outputs"], cell["execution_count"] = [], None
            if label in CELLS:
                bundle = CELLS[label].show(chapters).bundle()
                cell["outputs"] = [{"output_type": "display_data", "metadata": {}, "data": bundle}]
    note = {"cell_type": "markdown", "id": "drawn-for-this-site", "metadata": {}, "source": _NOTE}
    notebook["cells"].insert(1, note)  # below the title
    return json.dumps(notebook, indent=1, ensure_ascii=False) + "\n"


def _title(cells: list[dict[str, Any]]) -> str | None:
    for cell in cells:
        if cell["cell_type"] == "markdown":
            for line in _source(cell).splitlines():
                if line.startswith("# "):
                    return line[2:].strip()
    return None


def _source(cell: dict[str, Any]) -> str:
    source = cell["source"]
    return source if isinstance(source, str) else "".join(source)


def _plain_text(cell: dict[str, Any]) -> str:
    texts = []
    for output in cell.get("outputs", []):
        plain = output.get("text") or output.get("data", {}).get("text/plain") or ""
        texts.append(plain if isinstance(plain, str) else "".join(plain))
    return "\n".join(texts)
