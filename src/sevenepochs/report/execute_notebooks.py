"""`make notebooks`: notebooks/*.py (jupytext, py:percent) executed into notebooks/*.ipynb, byte for byte the same from
the same results. Needs the `notebooks` extra."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

from sevenepochs.errors import UserError, install

_LABEL = re.compile(r"^#\|\s*label:\s*(\S+)\s*$", re.MULTILINE)
_RUN = re.compile(r'^RUN = ".*"$', re.MULTILINE)
_CELL_TIMEOUT_SECONDS = 24 * 3600  # a cell may train


def execute(source: Path, target: Path, run: str | None = None) -> None:
    """Execute one notebook and write it without anything that differs from one execution to the next.

    Args:
        source: a py:percent file; its folder is the working directory.
        target: the .ipynb.
        run: replaces what the source says for RUN.

    Raises:
        UserError: jupytext or nbclient is missing, or a cell failed.
    """
    try:
        import jupytext
        from nbclient import NotebookClient
        from nbclient.exceptions import CellExecutionError
    except ImportError as error:
        raise UserError(f"notebooks need {error.name}: {install('notebooks')}") from None
    notebook = jupytext.read(source, fmt="py:percent")
    if run is not None:
        set_run(notebook, run)
    client = NotebookClient(
        notebook,
        timeout=_CELL_TIMEOUT_SECONDS,
        kernel_name="python3",
        startup_timeout=600,  # a busy machine starts kernels slowly
        record_timing=False,
        resources={"metadata": {"path": str(source.parent)}},
    )
    try:
        client.execute()
    except CellExecutionError as error:
        raise UserError(f"{source} failed: {error.ename}: {error.evalue}") from None
    clean(notebook)
    target.write_text(to_text(notebook), encoding="utf-8", newline="\n")


def set_run(notebook: Any, run: str) -> None:
    """Let RUN in a notebook be something else."""
    for cell in notebook.cells:
        if cell.cell_type == "code" and _RUN.search(cell.source):
            cell.source = _RUN.sub(lambda _: f'RUN = "{run}"', cell.source)
            return
    raise UserError("the notebook sets no RUN")


def clean(notebook: Any) -> None:
    """Names for cells that do not change, and no versions of whoever executed it."""
    for number, cell in enumerate(notebook.cells):
        label = _LABEL.search(cell.source) if cell.cell_type == "code" else None
        cell.id = label.group(1).replace("_", "-") if label else f"cell-{number}"
        cell.metadata = {}
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    notebook.nbformat, notebook.nbformat_minor = 4, 5


def to_text(notebook: Any) -> str:
    """The .ipynb file."""
    import nbformat

    nbformat.validate(notebook)
    return nbformat.writes(notebook, version=4) + "\n"


def main(folder: Path) -> int:
    """Execute every source of a folder."""
    sources = sorted(folder.glob("*.py"))
    if not sources:
        print(f"error: {folder} holds no notebook sources", file=sys.stderr)
        return 2
    for source in sources:
        print(f"{source} ...", flush=True)
        try:
            execute(source, source.with_suffix(".ipynb"))
        except UserError as error:
            print(f"error: {error}", file=sys.stderr)
            return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "notebooks")))
