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
from sevenepochs.serve.guard import Refusal
from sevenepochs.serve.models import PrefixCache
from sevenepochs.serve.worker import Worker


@dataclass(frozen=True)
class Request:
    """What was asked for. `temperature` 0 takes the likeliest token; `top_k` 0 draws from the whole vocabulary."""

    text: str
    temperature: float
    top_k: int
    seed: int
    n: int
    max_tokens: int


async def sample(model: Model, worker: Worker, request: Request, check: Callable[[], None]) -> AsyncIterator[str]:
    """JSON lines: `{"sample", "text"}` whenever a title has grown (its text so far), then `{"sample", "end"}`, where
    `end` is "eos", or "length" for a title that was cut; at last `{"done"}`, or `{"error"}` where it cannot go on.

    Args:
        check: called before every token; raises a Refusal when the run is no longer there.
    """
    prefixes = PrefixCache(model, 0)  # of its own: samples would push out what people type
    try:
        for index in range(request.n):
            generator = np.random.default_rng([request.seed, index])
            ids: list[int] = []
            end = "length"
            while len(ids) < request.max_tokens:
                check()
                id = await worker.run(partial(_next, model, prefixes, request, ids, generator))
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


def _next(
    model: Model, prefixes: PrefixCache, request: Request, ids: list[int], generator: np.random.Generator
) -> int | None:
    """The next id; None when the model can read no more."""
    context = np.concatenate([model.encode(request.text), np.asarray(ids, dtype=np.int64)])
    if len(context) > model.block_size:
        return None
    drawing = Drawing(temperature=request.temperature, top_k=request.top_k or None)
    return choose(prefixes.places(context)[-1].log_probs_V, drawing, generator)


def _line(data: dict[str, Any]) -> str:
    return json.dumps(data, ensure_ascii=False) + "\n"
