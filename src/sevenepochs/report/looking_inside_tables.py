"""Answers of all published runs side by side, as tables for docs/looking-inside.md. No torch."""

from __future__ import annotations

import json
from typing import Any

from sevenepochs.questions.registry import QUESTIONS
from sevenepochs.recipes.configs import named
from sevenepochs.report.ladder_table import markdown_line
from sevenepochs.store.results import Result


def looking_inside_tables(results: list[Result]) -> dict[str, str]:
    """A table for each question that has one, by the question's name: one row per full result that carries the answer,
    the highest exact loss first."""
    tables = {}
    for question in QUESTIONS.values():
        if question.table is not None:
            published = _published(results, question.name)
            head, *rows = question.table([content for _, content in published])
            lines = [["run", *head], ["---"] * (1 + len(head))]
            lines += [[_named(result), *row] for (result, _), row in zip(published, rows, strict=True)]
            tables[question.name] = "\n".join(map(markdown_line, lines))
    return tables


def _published(results: list[Result], analysis: str) -> list[tuple[Result, dict[str, Any]]]:
    """The full results that carry an analysis, each with its content, the highest exact loss first."""
    files = [(result, result.path / "analysis" / f"{analysis}.json") for result in results if result.path is not None]
    found = [(result, file) for result, file in files if not result.is_proxy and file.is_file()]
    found.sort(key=lambda one: -one[0].exact)
    return [(result, json.loads(file.read_text(encoding="utf-8"))) for result, file in found]


def _named(result: Result) -> str:
    return f"`{named(result)}`, {result.commit_words}"
