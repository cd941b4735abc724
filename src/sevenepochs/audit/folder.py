"""What somebody points at: a folder's files, our runs and results wherever they lie in it, and notebooks' cells."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sevenepochs.store.run import layout

MAX_ENTRIES = 50_000
_MAX_DEPTH = 8
_MAX_NOTEBOOK_BYTES = 40_000_000
_MAX_CELLS = 2_000
_PYTHON_MAGICS = ("%%time", "%%timeit", "%%capture", "%%prun")
_SKIPPED = frozenset({
    "venv", "env", "site-packages", "node_modules", "__pycache__", "wandb", "mlruns",
})  # fmt: skip


@dataclass
class Folder:
    """What a folder holds, nearest to its top first. Links, hidden folders and installed packages are left out.

    Attributes:
        files: all that belongs to no run or result of ours.
        own: run folders and results.
        is_cut: there was more than `MAX_ENTRIES`.
    """

    root: Path
    files: list[Path] = field(default_factory=list)
    own: list[Path] = field(default_factory=list)
    is_cut: bool = False

    def name(self, path: Path) -> str:
        """A file's path relative to the folder."""
        return path.relative_to(self.root).as_posix() if path != self.root else path.name


def is_own(names: set[str]) -> bool:
    """Whether a folder with these names in it is a run folder of ours or a published result.

    One file's name alone may be anybody's, unless nothing stands beside it.
    """
    is_run = layout.RUN in names and (bool(names & set(layout.FROM_THE_START)) or names == {layout.RUN})
    return is_run or ("result.json" in names and bool(names & {layout.CERTIFICATE, "curve.csv"}))


def read_folder(root: Path) -> Folder:
    """List a folder, or one file."""
    folder = Folder(root)
    if root.is_file():
        folder.files.append(root)
        return folder
    n_seen = 0
    for parent, folders, names in os.walk(root, followlinks=False):
        here = Path(parent)
        depth = len(here.parts) - len(root.parts)
        if is_own(set(names)):
            folder.own.append(here)
            folders.clear()
            continue
        folders[:] = sorted(
            name for name in folders if depth < _MAX_DEPTH and name not in _SKIPPED and not name.startswith(".")
        )
        n_seen += len(names)
        if n_seen > MAX_ENTRIES:
            folder.is_cut = True
            break
        folder.files += [here / name for name in names if not (here / name).is_symlink() and (here / name).is_file()]
    folder.files.sort(key=lambda path: (len(path.parts), path))
    folder.own.sort()
    return folder


def code_cells(path: Path) -> list[dict[str, Any]]:
    """The code cells of a notebook.

    Raises:
        OSError, ValueError, RecursionError: it cannot be read, or is no notebook.
    """
    if path.stat().st_size > _MAX_NOTEBOOK_BYTES:
        raise ValueError(f"more than {_MAX_NOTEBOOK_BYTES:,} bytes")
    notebook = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    cells = _dicts(notebook.get("cells")) if isinstance(notebook, dict) else []
    if not 0 < len(cells) <= _MAX_CELLS:
        raise ValueError("no cells, or too many")
    return [cell for cell in cells if cell.get("cell_type") == "code"]


def _dicts(values: Any) -> list[dict[str, Any]]:
    return [value for value in values if isinstance(value, dict)] if isinstance(values, list) else []


def code_lines(cell: dict[str, Any]) -> list[str]:
    """The lines of a cell as Python: magics and shell commands do nothing, cells in other languages neither."""
    lines = _joined(cell.get("source")).splitlines() or [""]
    is_foreign = lines[0].startswith("%%") and not lines[0].startswith(_PYTHON_MAGICS)
    python = []
    for line in lines:
        is_magic = is_foreign or line.lstrip().startswith(("%", "!", "?"))
        indent = "" if is_foreign else line[: len(line) - len(line.lstrip())]
        python.append(f"{indent}pass" if is_magic and line.strip() else line)
    return python


def printed(path: Path) -> str:
    """What the cells of a notebook printed, in their order.

    Raises:
        OSError, ValueError, RecursionError: as `code_cells`.
    """
    outputs = [output for cell in code_cells(path) for output in _dicts(cell.get("outputs"))]
    plain = [_dicts([output.get("data")]) for output in outputs]
    shown = [data[0].get("text/plain") if data else None for data in plain]
    return "\n".join(_joined(output.get("text") or text) for output, text in zip(outputs, shown, strict=True))


def _joined(text: Any) -> str:
    return "".join(map(str, text)) if isinstance(text, list) else str(text or "")
