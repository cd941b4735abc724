"""`--figure FILE.svg` of the commands that answer one question."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sevenepochs.errors import UserError


def write_figure(found: dict[str, Any], file: Path) -> None:
    """Draw the answer into the file and say so on the error stream.

    Raises:
        UserError: matplotlib is missing, or the file cannot be written.
    """
    from sevenepochs.cli.console import errors
    from sevenepochs.plots.asked import figure

    svg = figure(found)
    try:
        file.write_text(svg, encoding="utf-8", newline="\n")
    except OSError as error:
        raise UserError(f"cannot write the figure to {file}: {error.strerror}") from None
    errors.print(f"the figure is in {file}", style="dim", soft_wrap=True)
