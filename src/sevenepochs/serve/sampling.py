"""Titles drawn from the model, a token at a time, so that typing on the page goes on in between."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from sevenepochs.ask.model import Model
from sevenepochs.ask.samples import Drawing, choose
from sevenepochs.serve.desk import Desk
from sevenepochs.serve.prefixes import Prefixes
from sevenepochs.serve.refusal import Refusal


@dataclass(frozen=True)
class Order:
    """What was asked for. `temperature` 0 takes the likeliest token; `top_k` 0 draws from the whole vocabulary."""

    text: str
    temperature: float
    top_k: int
    seed: int
    n: int
    max_tokens: int


async def sample(model: Model, desk: Desk, order: Order, check: Callable[[], None]) -> AsyncIterator[str]:
    """JSON lines: `{"sample", "text"}` whenever a title has grown (its text so far), then `{"sample", "end"}`, where
    `end` is "eos", or "length" for a title that was cut; at last `{"done"}`, or `{"error"}` where it cannot go on.

    Args:
        check: called before every token; raises a Refusal when the run is no longer there.
    """
    prefixes = Prefixes(model, 0)  # of its own: samples would push out what people type
    try:
        for index in range(order.n):
            generator = np.random.default_rng([order.seed, index])
            ids: list[int] = []
            end = "length"
            while len(ids) < order.max_tokens:
                check()
                id = await desk.ask(partial(_next, model, prefixes, order, ids, generator))
                if id == model.eos_id:
                    end = "eos"
                if id is None or id == model.eos_id:
                    break
                ids.append(id)
                text = model.decode(ids).rstrip("\N{REPLACEMENT CHARACTER}")  # the rest of a character is to come
                yield _line({"sample": index, "text": text})
            yield _line({"sample": index, "end": end})
        yield _line({"done": True})
    except Refusal as refusal:
        yield _line({"error": refusal.message})


def _next(model: Model, prefixes: Prefixes, order: Order, ids: list[int], generator: np.random.Generator) -> int | None:
    """The next id; None when the model can read no more."""
    context = np.concatenate([model.encode(order.text), np.asarray(ids, dtype=np.int64)])
    if len(context) > model.block_size:
        return None
    drawing = Drawing(temperature=order.temperature, top_k=order.top_k or None)
    return choose(prefixes.rows(context)[-1].log_probs_V, drawing, generator)


def _line(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False) + "\n"
