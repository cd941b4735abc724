"""Negative results, read from the project's log: entries whose verdict is "loss" or "level" (docs/log/README.md)."""

from __future__ import annotations

import re
from collections.abc import Iterable

from sevenepochs.report.notebooks import shipped_folder

_FIELD = re.compile(r"^(Asked|Expected|Saw|So|Verdict):\s+(.+?)(?=\n\n|\s*\Z)", re.MULTILINE | re.DOTALL)
_WHOLE_RUN = re.compile(r", (full|proxy)(,|$)")  # an entry's scale; the others measure steps, memory, preparation


def log_months() -> dict[str, str]:
    """Return the log's text per month ("2026-11"), newest first. Raises UserError: this installation has no log."""
    months = sorted(shipped_folder("docs/log").glob("[0-9]*.md"), reverse=True)
    return {month.stem: month.read_text(encoding="utf-8") for month in months}


def negatives(months: Iterable[str]) -> dict[str, list[str]]:
    """Return a Markdown paragraph per entry that gained nothing, in the log's order: of whole "runs" and of the
    "rest"."""
    found: dict[str, list[str]] = {"runs": [], "rest": []}
    for entry in (entry for text in months for entry in re.split(r"^### ", text, flags=re.MULTILINE)[1:]):
        title, when = re.split(r" {2,}", entry.partition("\n")[0])
        told = {label: " ".join(text.split()) for label, text in _FIELD.findall(entry)}
        if told["Verdict"] in ("loss", "level"):
            asked, saw, so = (told[label][0].upper() + told[label][1:] for label in ("Asked", "Saw", "So"))
            paragraph = f"**{title}** ({when}). {asked} *Expected:* {told['Expected']} *Measured:* {saw} {so}"
            found["runs" if _WHOLE_RUN.search(when) else "rest"].append(paragraph)
    return found
