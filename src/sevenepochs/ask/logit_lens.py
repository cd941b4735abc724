"""The logit lens: what the model would answer if each layer were its last (nostalgebraist 2020, "interpreting GPT: the
logit lens"). The residual stream after each block is normalised and projected as the final one is; early layers were
never trained to be read so, and a strange answer there is no error."""

from __future__ import annotations

from typing import Any

from sevenepochs.ask.next_token import standing, top
from sevenepochs.ask.reader import Reader


def logit_lens(reader: Reader, text: str, k: int = 3) -> dict[str, Any]:
    """The answers of every layer at every position of `<eos>` and the text.

    Returns:
        `tokens`: T readable tokens. `layers`: a row each with `name` ("embedding", "block 1", ...) and `positions`, T
        rows with the `top` k next tokens and, but for the last position, the `truth`'s probability, rank and surprisal.
        The last layer's answers are the model's own.

    Raises:
        UserError: more tokens than the model reads at once.
    """
    trace = reader.trace(reader.encode(text))
    truths = [*trace.ids_T[1:].tolist(), None]
    layers = []
    for number, log_probs_TV in enumerate(reader.lens(trace.hidden_LTD)):
        positions = [
            {"top": top(reader, row_V, k), **({} if truth is None else {"truth": standing(reader, row_V, truth)})}
            for row_V, truth in zip(log_probs_TV, truths, strict=True)
        ]
        layers.append({"name": f"block {number}" if number else "embedding", "positions": positions})
    return {"run": reader.name, "text": text, "tokens": reader.tokens(trace.ids_T), "layers": layers}
