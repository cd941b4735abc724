"""`--figure FILE.svg` of the commands that answer one question."""

from __future__ import annotations

from pathlib import Path


def write_figure(svg: str, file: Path) -> None:
    """Write an answer's figure and say so on the error stream.

    Raises:
        UserError: the file cannot be written.
    """
    from sevenepochs.cli.console import errors
    from sevenepochs.store.run.storage import disk_errors

    with disk_errors(str(file), "name another file"):
        file.write_text(svg, encoding="utf-8", newline="\n")
    errors.print(f"the figure is in {file}", style="dim", soft_wrap=True)
