"""The collapse check of every published run as a table, for docs/looking-inside.md. No torch."""

from __future__ import annotations

import json
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
    found = [(result, content) for result in results if not result.is_proxy and (content := _collapse(result))]
    lines = [
        markdown_line(["figure", *(f"`{result.name}`, {str(result.facts['commit'])[:8]}" for result, _ in found)]),
        markdown_line(["---"] * (len(found) + 1)),
        markdown_line(["verdict", *(content["sentence"] for _, content in found)]),
    ]
    for label, key, metric in _ROWS:
        cells = [f"{content[key]:,}" if metric is None else format_metric(metric, content[key]) for _, content in found]
        lines.append(markdown_line([label, *cells]))
    return "\n".join(lines)


def _collapse(result: Result) -> dict[str, Any] | None:
    file = result.path / "analysis" / "collapse.json" if result.path else None
    if file is None or not file.is_file():
        return None
    content: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return content
