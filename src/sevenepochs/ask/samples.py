"""Titles that a model makes up, token by token, and how many of them are training titles.

Sample i is drawn with a generator of its own, seeded by (seed, i): it is the same whatever else is drawn beside it, up
to the last bits of the logits, which depend on how many rows are computed together.

B rows, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sevenepochs.ask.model import Model
from sevenepochs.ask.next_token import likeliest
from sevenepochs.config import check_range
from sevenepochs.errors import UserError

MAX_SAMPLES = 1000
_ROWS_AT_ONCE = 50
_COLDEST = 1e-6  # temperatures below count as 0: divided by them, logarithms overflow


@dataclass(frozen=True)
class Drawing:
    """How tokens are drawn: probabilities to the power of 1 / `temperature` (0: always the most probable one), of the
    `top_k` most probable tokens (None: of all).

    Raises:
        UserError: a value out of range.
    """

    temperature: float = 0.8
    top_k: int | None = 40
    seed: int = 1
    max_tokens: int = 100  # headlines have at most some 80 characters

    def __post_init__(self) -> None:
        check_range("temperature", self.temperature, 0.0, 10.0)
        check_range("seed", self.seed, 0, 2**63 - 1)
        check_range("max-tokens", self.max_tokens, 1, 100_000)
        if self.top_k is not None and self.top_k < 1:
            raise UserError(f"top-k = {self.top_k} is out of range; it must be >= 1, or none for all tokens")


@dataclass
class Sample:
    """A title in the making. `ids`: what was drawn after the prompt, without `<eos>`; `ended`: `<eos>` was drawn."""

    ids: list[int] = field(default_factory=list)
    ended: bool = False


def draw(model: Model, prompt: str, n: int, drawing: Drawing, at_once: int = _ROWS_AT_ONCE) -> Iterator[list[Sample]]:
    """Draw `n` titles that begin with `prompt`; gives the list of samples again after each token, until all are done.

    Args:
        at_once: titles that grow together; 1 for one title after the other.

    Raises:
        UserError: the prompt is longer than the model reads at once, or `n` is out of range.
    """
    check_range("n", n, 1, MAX_SAMPLES)
    log_probs_TV, after_prompt = model.read_on(model.new_prefix(), model.encode(prompt))
    samples = [Sample() for _ in range(n)]
    generators = [np.random.default_rng((drawing.seed, i)) for i in range(n)]
    for low in range(0, n, at_once):
        going = np.arange(low, min(n, low + at_once))
        prefix = after_prompt.rows(np.zeros(len(going), dtype=np.int64))
        log_probs_BV = np.repeat(log_probs_TV[-1:], len(going), axis=0)
        while True:
            pairs = zip(going, log_probs_BV, strict=True)
            ids_B = np.array([choose(row_V, drawing, generators[i]) for i, row_V in pairs])
            for i, id in zip(going, ids_B, strict=True):
                if id == model.eos_id:
                    samples[i].ended = True
                else:
                    samples[i].ids.append(int(id))
            yield samples
            # a finished title leaves the batch
            stay = np.array([not samples[i].ended and len(samples[i].ids) < drawing.max_tokens for i in going])
            if not stay.any():
                break
            going, ids_B = going[stay], ids_B[stay]
            if not stay.all():
                prefix = prefix.rows(np.flatnonzero(stay))
            log_probs_BV, prefix = model.read_on_rows(prefix, ids_B)


def choose(log_probs_V: np.ndarray, drawing: Drawing, generator: np.random.Generator) -> int:
    """Draw one token. Uses one number of the generator, whatever the drawing, but none at temperature 0."""
    if drawing.temperature < _COLDEST:
        return int(log_probs_V.argmax())
    ids = likeliest(log_probs_V, drawing.top_k or len(log_probs_V))
    scaled = log_probs_V[ids].astype(np.float64) / drawing.temperature
    cumulative = np.exp(scaled - scaled.max()).cumsum()
    place = np.searchsorted(cumulative, generator.random() * cumulative[-1], side="right")
    return int(ids[min(place, len(ids) - 1)])


def title(model: Model, prompt: str, sample: Sample) -> str:
    """Return the sample as text, the prompt included."""
    return text_of(model, [*model.encode(prompt)[1:].tolist(), *sample.ids]).strip()


def text_of(model: Model, ids: Sequence[int]) -> str:
    """Return the text of ids as far as it goes; a character that is not whole yet is left out."""
    return model.decode(ids).rstrip("\N{REPLACEMENT CHARACTER}")


def summarise(
    model: Model, prompt: str, samples: list[Sample], drawing: Drawing, training_titles: Collection[str] | None
) -> dict[str, Any]:
    """Return the drawn titles as JSON, with their probability, and the share that are training titles word for word.

    Args:
        training_titles: None when they are not at hand; the share is then None.
    """
    context = model.encode(prompt)
    whole = [[*context, *sample.ids, *([model.eos_id] if sample.ended else [])] for sample in samples]
    known = None if training_titles is None else frozenset(training_titles)
    rows: list[dict[str, Any]] = [
        {
            "title": (text := title(model, prompt, sample)),
            "ended": sample.ended,
            "n_tokens": len(sample.ids),
            # of the prompt's continuation, at temperature 1 and among all tokens
            "surprisal_bits": -math.fsum(log_probs[len(context) - 1 :]) / math.log(2),
            "is_training_title": None if known is None else sample.ended and text in known,
        }
        for sample, log_probs in zip(samples, model.log_probs_of(whole), strict=True)
    ]
    verbatim = None if known is None else sum(row["is_training_title"] for row in rows) / len(rows)
    return {
        "run": model.name,
        "prompt": prompt,
        "temperature": drawing.temperature,
        "top_k": drawing.top_k,
        "seed": drawing.seed,
        "samples": rows,
        "verbatim_share": verbatim,
    }
