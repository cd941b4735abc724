"""`--figure FILE.svg` of the commands that answer one question."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def write_figure(found: dict[str, Any], file: Path) -> None:
    """Draw the answer into the file and say so on the error stream.

    Raises:
        UserError: matplotlib is missing, or the file cannot be written.
    """
    from sevenepochs.cli.console import errors
    from sevenepochs.questions.figures.asked import figure
    from sevenepochs.store.run.storage import disk_errors

    svg = figure(found)
    with disk_errors(str(file), "name another file"):
        file.write_text(svg, encoding="utf-8", newline="\n")
    errors.print(f"the figure is in {file}", style="dim", soft_wrap=True)
