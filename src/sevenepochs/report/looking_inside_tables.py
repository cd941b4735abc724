"""Analyses of all published runs side by side, as tables for docs/looking-inside.md. No torch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sevenepochs.metrics import format_metric
from sevenepochs.recipes.configs import named
from sevenepochs.report.ladder_table import markdown_line
from sevenepochs.store.results import Result

_COLLAPSE = (
    ("most probable token is `<eos>`, share of places", "top_is_eos_share", "share"),
    ("different tokens that are ever the most probable", "n_distinct_top", None),
    ("I", "information_bits", "bits_per_token"),
    ("mean prediction to the frequencies", "mean_to_frequency_bits", "bits_per_token"),
    ("single predictions to the frequencies", "each_to_frequency_bits", "bits_per_token"),
    ("gain over the frequencies", "gain_bits", "bits_per_token"),
    ("pair gain", "pair_gain_bits", "bits_per_token"),
    ("validation tokens", "n_tokens", None),
)

_MET = {"word_for_word": "met word for word", "near": "met nearly", "new": "new"}


def collapse_table(results: list[Result]) -> str:
    """One row a full result that carries the analysis, the highest exact loss first; in bits per token."""
    lines = _head([*(label for label, _, _ in _COLLAPSE), "verdict"])
    for result, content in _published(results, "collapse"):
        cells = [
            f"{content[key]:,}" if metric is None else format_metric(metric, content[key])
            for _, key, metric in _COLLAPSE
        ]
        lines.append(markdown_line([_named(result), *cells, content["sentence"]]))
    return "\n".join(lines)


def memorisation_table(results: list[Result]) -> str:
    """One row a full result, the highest exact loss first; one column a kind of title, with the loss over that of token
    pairs and its interval, and the exact loss of all titles and of those that do not occur in training."""
    found = _published(results, "memorisation")
    n_titles = {kind["name"]: kind["n_titles"] for _, content in found for kind in content["kinds"]}
    columns = [f"{_MET.get(name, name)} ({n:,} titles)" for name, n in n_titles.items()]
    lines = _head([*columns, "met word for word over new", "exact", "exact, new titles", "verdict"])
    for result, content in found:
        there = {kind["name"]: kind for kind in content["kinds"]}
        cells = [
            _ratio(kind["ratio_to_pairs"], kind["interval"]) if (kind := there.get(name)) else "-" for name in n_titles
        ]
        quotient = content["met_to_new"]
        cells.append(_ratio(quotient["ratio"], quotient["interval"]) if quotient else "-")
        losses = (content["exact_val_loss"], content["exact_val_loss_of_new"])
        cells += [format_metric("exact_val_loss", loss) for loss in losses]
        lines.append(markdown_line([_named(result), *cells, content["verdict"].replace("_", " ")]))
    return "\n".join(lines)


def _published(results: list[Result], analysis: str) -> list[tuple[Result, dict[str, Any]]]:
    """The full results that carry an analysis, each with its content, the highest exact loss first."""
    files = [(result, result.path / "analysis" / f"{analysis}.json") for result in results if result.path is not None]
    found = [(result, file) for result, file in files if not result.is_proxy and file.is_file()]
    found.sort(key=lambda one: -one[0].exact)
    return [(result, json.loads(file.read_text(encoding="utf-8"))) for result, file in found]


def _head(columns: Sequence[str]) -> list[str]:
    return [markdown_line(["run", *columns]), markdown_line(["---"] * (1 + len(columns)))]


def _named(result: Result) -> str:
    return f"`{named(result)}`, {result.commit_words}"


def _ratio(value: float, interval: Sequence[float] | None) -> str:
    ends = " to ".join(format_metric("ratio_to_pairs", end) for end in interval or ())
    return format_metric("ratio_to_pairs", value) + (f" ({ends})" if ends else "")
