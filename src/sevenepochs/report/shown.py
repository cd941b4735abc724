"""Show text and, where there is something to draw, an SVG: the value of a notebook's cell."""

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
        """Return content by MIME type, as a notebook stores it."""
        return ({"image/svg+xml": self.svg} if self.svg is not None else {}) | {"text/plain": self.text}


def aligned(rows: list[list[str]]) -> str:
    """Return rows as a text table; the first column is flush left, the others flush right."""
    left, *right = (max(map(len, column)) for column in zip(*rows, strict=True))
    lines = (
        [first.ljust(left), *(cell.rjust(width) for cell, width in zip(rest, right, strict=True))]
        for first, *rest in rows
    )
    return "\n".join("  ".join(line).rstrip() for line in lines)
