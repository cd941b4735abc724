"""The README's results table, generated between two markers from results/, so that no number there is typed."""

from __future__ import annotations

import sys
from pathlib import Path

from sevenepochs.errors import UserError
from sevenepochs.metrics import format_metric
from sevenepochs.results_folder import Result, list_results

START, END = "<!-- results:start -->", "<!-- results:end -->"
STORY = ("baseline", "adamw", "rope")
_COLUMNS = (
    "exact_val_loss",
    "official_val_loss",
    "official_val_loss_own_geometry",
    "val_scored_fraction",
    "exact_val_bpc",
)


def table(results: list[Result], expected: tuple[str, ...] = STORY) -> str:
    """Markdown: one row a result, the story's recipes first; a recipe without a result is named as missing."""
    head = [
        "recipe",
        "seed",
        "corpus",
        "exact",
        "official 64x128",
        "official own",
        "scored",
        "bits/char",
        "time",
        "machine",
        "commit",
    ]
    lines = [_line(head), _line(["---"] * len(head))]
    names = [*expected, *sorted({str(r.facts["recipe"]) for r in results} - set(expected))]
    for name in names:
        rows = [result for result in results if result.facts["recipe"] == name]
        for result in sorted(rows, key=lambda r: (r.facts["corpus"]["name"], r.facts["seed"])):
            lines.append(_line(_cells(result)))
        if not rows:
            lines.append(_line([f"`{name}`", "missing: not run in full yet", *[""] * (len(head) - 2)]))
    return "\n".join(lines)


def update(readme: Path, results_root: Path, *, check: bool = False) -> bool:
    """Rewrite the table in the README; with `check`, only say whether it is up to date.

    Raises:
        UserError: the markers are missing, or a result is damaged.
    """
    text = readme.read_text(encoding="utf-8")
    before, start, rest = text.partition(START)
    _, end, after = rest.partition(END)
    if not start or not end:
        raise UserError(f"{readme} has no {START} ... {END} to fill")
    new = f"{before}{START}\n{table(list_results(results_root))}\n{END}{after}"
    if not check and new != text:
        readme.write_text(new, encoding="utf-8")
    return new == text


def _cells(result: Result) -> list[str]:
    facts = result.facts
    machine = facts["machine"]
    name = machine.get("device_name") or f"{machine.get('threads')} threads, {machine.get('cpu_model')}"
    corpus = facts["corpus"]
    return [
        f"`{facts['recipe']}`",
        str(facts["seed"]),
        str(corpus.get("recognised") or corpus["name"]),
        *(format_metric(column, facts["figures"][column]) for column in _COLUMNS),
        f"{facts['elapsed_seconds'] / 60:.0f} min",
        f"{name}, {machine.get('precision')}",
        f"{(facts.get('commit') or 'unknown')[:8]}{'+' if facts.get('dirty') else ''}",
    ]


def _line(cells: list[str]) -> str:
    return "| " + " | ".join(cells) + " |"


if __name__ == "__main__":
    sys.exit(
        0 if update(Path("README.md"), Path("results"), check="--check" in sys.argv) or "--check" not in sys.argv else 1
    )
