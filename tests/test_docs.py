"""README, results/README.md and docs/ stay readable as text: wrapped lines, and values or phrases in tables; the README
is short, and its links lead somewhere."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, ROOT / "results" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MAX_COLUMNS, MAX_CELL, MAX_WORDS = 120, 160, 900


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_lines_are_wrapped_and_cells_are_short(page: Path) -> None:
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("|"):
            assert max(len(cell.strip()) for cell in line.split("|")) <= MAX_CELL, f"{page}:{number}"
        else:
            assert len(line) <= MAX_COLUMNS, f"{page}:{number}"


def test_the_readme_is_read_in_minutes() -> None:
    text = re.sub(r"^\|.*$|<!--.*?-->", "", README.read_text(encoding="utf-8"), flags=re.M)
    assert len(text.split()) <= MAX_WORDS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    prose = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if target.startswith(("http:", "https:")):
            continue
        file, _, heading = target.partition("#")
        there = page.parent / file if file else page
        assert there.exists(), f"{page}: {target}"
        if heading:
            assert heading in headings(there), f"{page}: {target}"


def headings(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}
