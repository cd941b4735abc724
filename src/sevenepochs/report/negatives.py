"""What did not work, read from the project's log of experiments: the rows of its tables whose verdict says negative."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import resources
from pathlib import Path


@dataclass(frozen=True)
class Negative:
    """One row. `section` is the heading above its table; the other fields are its cells."""

    section: str
    question: str
    expected: str
    measured: str
    verdict: str


def log_text() -> str | None:
    """docs/log.md as shipped in the package, or of the repository it was installed from; None where neither is."""
    shipped = resources.files("sevenepochs.report").joinpath("log.md")
    if shipped.is_file():
        return shipped.read_text(encoding="utf-8")
    in_repository = Path(__file__).parents[3] / "docs" / "log.md"
    return in_repository.read_text(encoding="utf-8") if in_repository.is_file() else None


def negatives(text: str) -> list[Negative]:
    """Rows in the log's order (newest first); a table without the five columns is not one of experiments."""
    found: list[Negative] = []
    section = ""
    columns: list[str] = []
    for line in text.splitlines():
        if line.startswith("#"):
            section, columns = line.lstrip("# ").strip(), []
        elif not line.startswith("|"):
            columns = []
        else:
            cells = [cell.strip() for cell in line.replace("\\|", "\0").strip().strip("|").split("|")]
            cells = [cell.replace("\0", "\\|") for cell in cells]
            if not columns:
                columns = [cell.lower() for cell in cells]
            elif "verdict" in columns and len(cells) == len(columns) and not set("".join(cells)) <= set("-: "):
                row = dict(zip(columns, cells, strict=True))
                if "negative" in row["verdict"].lower():
                    found.append(
                        Negative(
                            section,
                            row.get("question") or row.get("hypothesis") or cells[0],
                            row.get("expected", ""),
                            row.get("measured", ""),
                            row["verdict"],
                        )
                    )
    return found
