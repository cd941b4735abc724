"""`make notebooks`: notebooks/*.py (jupytext, py:percent) executed into notebooks/*.ipynb, byte for byte the same from
the same results. Needs the `notebooks` extra."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from sevenepochs.errors import UserError, install
from sevenepochs.report.notebooks import LABEL

_RUN = re.compile(r'^RUN = ".*"$', re.MULTILINE)
_CELL_TIMEOUT_SECONDS = 24 * 3600  # a cell may train


def execute(source: Path, target: Path, run: str | None = None) -> None:
    """Execute one notebook and write it without anything that differs from one execution to the next.

    Args:
        source: a py:percent file; its folder is the working directory.
        target: the .ipynb.
        run: replaces the RUN that the source sets.

    Raises:
        UserError: jupytext or nbclient is missing, the source sets no RUN, or a cell failed.
    """
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
    # Names of cells that do not change, and no versions of whoever executed it.
    for number, cell in enumerate(notebook.cells):
        label = LABEL.search(cell.source) if cell.cell_type == "code" else None
        cell.id = label.group(1).replace("_", "-") if label else f"cell-{number}"
        cell.metadata = {}
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
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
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1] if len(sys.argv) > 1 else "notebooks")))
