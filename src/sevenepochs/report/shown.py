"""What a notebook cell shows: text always, and an SVG where there is something to draw."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Shown:
    """Displays itself in Jupyter; `print` gives the text."""

    text: str
    svg: str | None = None

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self.bundle()

    def bundle(self) -> dict[str, str]:
        """Content by MIME type, as a notebook stores it."""
        drawn = {"image/svg+xml": self.svg} if self.svg is not None else {}
        return {**drawn, "text/plain": self.text}


def aligned(rows: list[list[str]]) -> str:
    """Rows as a text table; the first column is flush left, the others flush right."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join(
        "  ".join(
            [row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))]
        ).rstrip()
        for row in rows
    )
