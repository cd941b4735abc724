"""A model's answers for the page: a typed title token by token, and titles drawn from it.

V vocabulary.
"""

from __future__ import annotations

import dataclasses
import json
import math
from collections.abc import AsyncIterator, Callable
from functools import partial
from typing import Any

import numpy as np

from sevenepochs.ask.model import Model
from sevenepochs.ask.next_token import likeliest, rank
from sevenepochs.ask.samples import Drawing, draw, text_of
from sevenepochs.errors import UserError
from sevenepochs.serve.guard import Refusal
from sevenepochs.serve.models import Place, PrefixCache
from sevenepochs.serve.worker import Worker

N_CANDIDATES = 10


def predict(prefixes: PrefixCache, text: str, facts: dict[str, str]) -> dict[str, Any]:
    """Return the model's expectations along a typed text, as JSON for the page.

    One answer holds all places, so that moving from token to token asks the server nothing.

    Returns:
        `tokens[i]`: `text`, `start`/`stop` (characters of the typed text), `bits`, `probability` and `rank` of what was
        typed. `places[i]`: what the model expected instead of token i, and in the last one after all of them: `top`
        (`text`, `probability`, `whole`, `end`) and `rest`, the probability of all other tokens, so that a place sums to
        1. Half a character is not `whole` and cannot be continued from.

    Raises:
        Refusal: more tokens than the model reads at once, or facts that it cannot be told.
    """
    model = prefixes.model
    try:
        opening = model.given(facts).opening
    except UserError as error:
        raise Refusal(422, str(error)) from None
    ids, spans = model.tokenizer.encode_with_spans(text.rstrip())
    try:
        places = prefixes.places(np.asarray([opening, *ids], dtype=np.int64))
    except UserError as error:
        raise Refusal(413, str(error)) from None
    tokens = [
        {
            "text": shown,
            "start": start,
            "stop": stop,
            "bits": float(-place.log_probs_V[id] / math.log(2)),
            "probability": float(np.exp(place.log_probs_V[id])),
            "rank": rank(place.log_probs_V, id),
        }
        for id, shown, (start, stop), place in zip(ids, model.tokens(ids), spans, places, strict=False)
    ]
    return {
        "tokens": tokens,
        "places": [_shown(model, place) for place in places],
        "bits": sum(token["bits"] for token in tokens),
        "n_chars": len(text.rstrip()),
    }


def _shown(model: Model, place: Place) -> dict[str, Any]:
    if place.shown is None:
        place.shown = _expected(model, place.log_probs_V)
    return place.shown


def _expected(model: Model, log_probs_V: np.ndarray) -> dict[str, Any]:
    top = likeliest(log_probs_V, N_CANDIDATES)
    probabilities = np.exp(log_probs_V.astype(np.float64))
    candidates = [
        {
            "text": shown,
            "probability": float(probabilities[id]),
            "whole": model.tokenizer.is_text(int(id)),
            "end": int(id) == model.eos_id,
        }
        for id, shown in zip(top, model.tokens(top), strict=True)
    ]
    rest = float(probabilities.sum() - probabilities[top].sum())
    return {"top": candidates, "rest": max(rest, 0.0)}


async def sample(
    model: Model, worker: Worker, prompt: str, n: int, drawing: Drawing, check: Callable[[], object]
) -> AsyncIterator[str]:
    """Draw `n` titles, one token per job, so that typing on the page goes on in between.

    Gives JSON lines: `{"sample", "text"}` whenever a title has grown (its text so far), then `{"sample", "end"}`, where
    `end` is "eos", or "length" for a title that was cut, also by the end of the model's block; at last `{"done"}`, or
    `{"error"}` where it cannot go on.

    Args:
        check: called before every token; raises a Refusal when the run is no longer there.
    """
    most = min(drawing.max_tokens, model.block_size + 1 - len(model.encode(prompt)))
    steps = draw(model, prompt, n, dataclasses.replace(drawing, max_tokens=max(1, most)), at_once=1)
    try:
        for index in range(n):
            end, n_tokens = "length", 0
            while n_tokens < most:
                check()
                one = (await worker.run(partial(next, steps)))[index]
                if one.ended:
                    end = "eos"
                    break
                n_tokens = len(one.ids)
                yield _line({"sample": index, "text": text_of(model, one.ids)})
            yield _line({"sample": index, "end": end})
        yield _line({"done": True})
    except Refusal as refusal:
        yield _line({"error": refusal.message})


def _line(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False) + "\n"
