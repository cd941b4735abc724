"""A folder's files, our runs and results wherever they lie in it, and notebooks' cells."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sevenepochs.errors import UserError
from sevenepochs.store.run import layout

_MAX_FILES = 50_000
_MAX_DEPTH = 8
_MAX_NOTEBOOK_BYTES = 40_000_000
_MAX_CELLS = 2_000
_PYTHON_MAGICS = ("%%time", "%%timeit", "%%capture", "%%prun")
_SKIPPED = frozenset({"venv", "env", "site-packages", "node_modules", "__pycache__", "wandb", "mlruns"})


@dataclass
class Folder:
    """The files of a folder, nearest to its top first. Links, hidden folders and installed packages are left out."""

    root: Path
    files: list[Path] = field(default_factory=list)  # all that belong to no run or result of ours
    own: list[Path] = field(default_factory=list)  # run folders and results

    def name(self, path: Path) -> str:
        """Return a file's path relative to the folder."""
        return path.relative_to(self.root).as_posix() if path != self.root else path.name


def read_folder(root: Path) -> Folder:
    """List a folder, or one file.

    Raises:
        UserError: there is neither.
    """
    if not root.exists():
        raise UserError(f"{root}: no such folder; give the folder of a training program's source")
    if root.is_file():
        return Folder(root, [root])
    folder = Folder(root)
    for parent, folders, names in os.walk(root):
        here = Path(parent)
        if _is_own(set(names)):
            folder.own.append(here)
            folders.clear()
            continue
        is_deep = len(here.parts) - len(root.parts) >= _MAX_DEPTH
        folders[:] = sorted(name for name in folders if not (is_deep or name in _SKIPPED or name.startswith(".")))
        folder.files += [here / name for name in names if not (here / name).is_symlink() and (here / name).is_file()]
        if len(folder.files) > _MAX_FILES:
            break
    folder.files.sort(key=lambda path: (len(path.parts), path))
    folder.own.sort()
    return folder


def _is_own(names: set[str]) -> bool:
    """Whether a folder with these names in it is a run folder of ours or a published result.

    One file's name alone may be anybody's, unless nothing stands beside it.
    """
    is_run = layout.RUN in names and (bool(names & set(layout.FROM_THE_START)) or names == {layout.RUN})
    return is_run or ("result.json" in names and bool(names & {layout.CERTIFICATE, "curve.csv"}))


def _code_cells(path: Path) -> list[dict[str, Any]]:
    if path.stat().st_size > _MAX_NOTEBOOK_BYTES:
        raise ValueError(f"more than {_MAX_NOTEBOOK_BYTES:,} bytes")
    notebook = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    cells = _dicts(notebook.get("cells")) if isinstance(notebook, dict) else []
    if not 0 < len(cells) <= _MAX_CELLS:
        raise ValueError("no cells, or too many")
    return [cell for cell in cells if cell.get("cell_type") == "code"]


def code_of(path: Path) -> list[list[str]]:
    """Return the lines of each code cell of a notebook as Python: magics, shell and other languages do nothing.

    Raises:
        OSError, ValueError, RecursionError: it cannot be read, or is no notebook.
    """
    cells = []
    for cell in _code_cells(path):
        lines = _joined(cell.get("source")).splitlines() or [""]
        is_foreign = lines[0].startswith("%%") and not lines[0].startswith(_PYTHON_MAGICS)
        for number, line in enumerate(lines):
            code = line.lstrip()
            if code and (is_foreign or code.startswith(("%", "!", "?"))):
                lines[number] = "pass" if is_foreign else line.replace(code, "pass")
        cells.append(lines)
    return cells


def printed(path: Path) -> str:
    """Return what the cells of a notebook printed, in their order.

    Raises:
        OSError, ValueError, RecursionError: it cannot be read, or is no notebook.
    """
    texts = []
    for output in (output for cell in _code_cells(path) for output in _dicts(cell.get("outputs"))):
        data = output.get("data")
        texts.append(output.get("text") or (data.get("text/plain") if isinstance(data, dict) else None))
    return "\n".join(map(_joined, texts))


def _dicts(values: Any) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def _joined(text: Any) -> str:
    return "".join(map(str, text)) if isinstance(text, list) else str(text or "")
