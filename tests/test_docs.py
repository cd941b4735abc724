"""The pages in docs/ stay readable as text: wrapped lines, and values or phrases in tables."""

from pathlib import Path

DOCS = Path(__file__).parents[1] / "docs"
MAX_COLUMNS, MAX_CELL = 120, 160


def test_lines_are_wrapped_and_cells_are_short() -> None:
    for page in DOCS.rglob("*.md"):
        for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
            if line.startswith("|"):
                assert max(len(cell.strip()) for cell in line.split("|")) <= MAX_CELL, f"{page}:{number}"
            else:
                assert len(line) <= MAX_COLUMNS, f"{page}:{number}"
