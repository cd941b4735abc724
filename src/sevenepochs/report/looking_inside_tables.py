"""Analyses of all published runs side by side, as tables for docs/looking-inside.md. No torch."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from sevenepochs.metrics import format_metric
from sevenepochs.report.ladder_table import markdown_line
from sevenepochs.results_folder import Result

_ROWS = (
    ("most probable token is `<eos>`, share of places", "top_is_eos_share", "share"),
    ("different tokens that are ever the most probable", "n_distinct_top", None),
    ("I", "information_bits", "bits_per_token"),
    ("mean prediction to the frequencies", "mean_to_frequency_bits", "bits_per_token"),
    ("single predictions to the frequencies", "each_to_frequency_bits", "bits_per_token"),
    ("gain over the frequencies", "gain_bits", "bits_per_token"),
    ("pair gain", "pair_gain_bits", "bits_per_token"),
    ("validation tokens", "n_tokens", None),
)


def collapse_table(results: list[Result]) -> str:
    """One column a full result that carries the analysis, in bits per token."""
    found = _published(results, "collapse")
    lines = [*_head("figure", found), markdown_line(["verdict", *(content["sentence"] for _, content in found)])]
    for label, key, metric in _ROWS:
        cells = [f"{content[key]:,}" if metric is None else format_metric(metric, content[key]) for _, content in found]
        lines.append(markdown_line([label, *cells]))
    return "\n".join(lines)


def memorisation_table(results: list[Result]) -> str:
    """One row a kind of title and one column a full result: its loss over that of token pairs, with the interval."""
    found = _published(results, "memorisation")
    kinds = {kind["name"]: kind["label"] for _, content in found for kind in content["kinds"]}
    lines = _head("title occurs in training", found)
    for name, label in kinds.items():
        of_runs = [next((kind for kind in content["kinds"] if kind["name"] == name), None) for _, content in found]
        cells = [
            _ratio(kind["ratio_to_pairs"], kind["interval"], kind["n_titles"]) if kind else "-" for kind in of_runs
        ]
        lines.append(markdown_line([label, *cells]))
    quotients = [content["met_to_new"] for _, content in found]
    cells = [_ratio(one["ratio"], one["interval"]) if one else "-" for one in quotients]
    lines.append(markdown_line(["word for word over those that do not", *cells]))
    lines.append(markdown_line(["verdict", *(content["verdict"].replace("_", " ") for _, content in found)]))
    return "\n".join(lines)


def _published(results: list[Result], analysis: str) -> list[tuple[Result, dict[str, Any]]]:
    """The full results that carry an analysis, each with its content."""
    files = [(result, result.path / "analysis" / f"{analysis}.json") for result in results if result.path is not None]
    return [
        (result, json.loads(file.read_text(encoding="utf-8")))
        for result, file in files
        if not result.is_proxy and file.is_file()
    ]


def _head(first: str, found: Sequence[tuple[Result, Mapping[str, Any]]]) -> list[str]:
    names = [f"`{result.name}`, {str(result.facts['commit'])[:8]}" for result, _ in found]
    return [markdown_line([first, *names]), markdown_line(["---"] * (1 + len(names)))]


def _ratio(value: float, interval: Sequence[float] | None, n_titles: int | None = None) -> str:
    ends = " to ".join(format_metric("ratio_to_pairs", end) for end in interval or ())
    notes = ", ".join(part for part in (ends, f"{n_titles:,} titles" if n_titles is not None else "") if part)
    return format_metric("ratio_to_pairs", value) + (f" ({notes})" if notes else "")
