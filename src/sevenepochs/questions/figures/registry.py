"""Which figures an analysis has: from the name and the content of its JSON file to SVG files."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sevenepochs.questions.figures import (
    calibration,
    collapse,
    data,
    layers,
    memorisation,
    next_token,
    samples,
    token_frequency,
    where_loss,
)

_ONE = {
    "memorisation": memorisation.figure,
    "collapse": collapse.figure,
    "calibration": calibration.figure,
    "samples": samples.figure,
    "layers": layers.figure,
}
WITH_FIGURES = ("data", "token_frequency", "next_token", "where_loss", *_ONE)


def figures(name: str, content: Mapping[str, Any], run: str | None = None) -> dict[str, str]:
    """SVG texts by file name; none for an analysis without figures.

    Args:
        name: the JSON file's, e.g. "collapse".
        content: what it holds.
        run: what titles call the run.

    Raises:
        UserError: matplotlib is not installed.
    """
    if name == "next_token":
        return {
            f"next_token_{place['row']}_{place['position']}.svg": next_token.figure(place, run)
            for place in content["places"]
        }
    if name == "where_loss":
        return {
            f"where_loss_{breakdown}.svg": where_loss.figure(content, breakdown, run)
            for breakdown in where_loss.names(content)
        }
    if name == "data":
        return {"data_lengths.svg": data.lengths(content), "data_words.svg": data.words(content)}
    if name == "token_frequency":
        return {"token_frequency.svg": token_frequency.figure(content)}
    return {f"{name}.svg": _ONE[name](content, run)} if name in _ONE else {}
