"""The figure of one answer: from the JSON that `predict` or `inside` prints to its SVG."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sevenepochs.questions.figures import attention, curves, lens, neighbours, next_token, title
from sevenepochs.questions.figures.style import token_label


def figure(found: Mapping[str, Any]) -> str:
    """The SVG.

    Args:
        found: an answer of `next_token`, `two_runs`, `attention_maps` (with `shown`, the (layer, head) pairs to draw,
            from 1), `logit_lens`, `neighbours` or `through_time`; they are told apart by what they hold.
    """
    if "segments" in found:
        return title.two_runs(found)
    if "top" in found:
        return next_token.figure(found, found["run"])
    if "weights" in found:
        heads = {f"layer {layer}, head {head}": found["weights"][layer - 1][head - 1] for layer, head in found["shown"]}
        return attention.figure(found["tokens"], heads, f"Attention: {found['run']}")
    if "layers" in found:
        return lens.figure(found)
    if "steps" in found:
        rows = [{"step": row["step"], "title_loss": row["nats_per_char"]} for row in found["steps"]]
        return curves.figure(
            {found["run"]: rows}, "title_loss", f"One title through time: {token_label(found['text'], 44)}"
        )
    return title.surprisal(found) if "surprisal_bits" in found else neighbours.figure(found)
