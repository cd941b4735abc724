"""The most probable next words under models that cut titles into different tokens: an ensemble by docs/protocol.md.

V vocabulary.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from sevenepochs.ask.model import Model
from sevenepochs.protocol.budget import EOS

_BROKEN = "\N{REPLACEMENT CHARACTER}"
_MOST_PASSES = 200  # of one model, to find its own most probable words


def predict_words(models: Sequence[Model], weights: Sequence[float], text: str, k: int = 10) -> dict[str, Any]:
    """Return the `context` and the `top` k next words after a text whose last word is complete.

    Returns:
        `top`: rows of `token` (a word with the space before it, or `<eos>`), `probability`, and `members`, the
        probability by each model. The candidates are the k most probable words of each model.

    Raises:
        UserError: the text is longer than a model reads at once.
    """
    text = text.strip()
    asked = [_Asked(model, text) for model in models]
    words = sorted({word for one in asked for word in one.likeliest(k)})
    rows: list[dict[str, Any]] = []
    for word in words:
        members = [one.probability(word) for one in asked]
        rows.append({"token": word, "probability": float(np.dot(weights, members)), "members": members})
    top = sorted(rows, key=lambda row: -row["probability"])[:k]
    return {"context": EOS + text, "top": top}


class _Asked:
    """A model that has read the text, and what it gives to words behind it."""

    def __init__(self, model: Model, text: str) -> None:
        self._model, self._text = model, text
        self._stops_V = model.tokenizer.stops()
        log_probs_TV, self._read = model.read_on(model.new_prefix(), model.encode(text))
        self._log_probs_V = log_probs_TV[-1].astype(float)
        # a title's first word follows `<eos>` and nothing is divided by
        self._log_stop = self._log_stops(self._log_probs_V) if text else 0.0

    def likeliest(self, k: int) -> list[str]:
        """Return the k most probable words, found best first: no word is likelier than its beginning."""
        begins_V = self._stops_V if self._text else np.ones_like(self._stops_V)
        waiting: list[tuple[float, tuple[int, ...]]] = []
        self._push(waiting, k, 0.0, (), np.where(begins_V, self._log_probs_V - self._log_stop, -np.inf))
        found: list[tuple[float, str]] = []
        for _ in range(_MOST_PASSES):
            if not waiting or (len(found) >= k and -waiting[0][0] < sorted(found)[-k][0]):
                break
            cost, ids = heapq.heappop(waiting)
            if ids[-1] == self._model.eos_id:
                found.append((-cost, EOS))
                continue
            log_probs_V = self._after(ids)[-1]
            word = self._model.decode(ids)
            if _BROKEN not in word:  # no word ends inside a character
                found.append((self._log_stops(log_probs_V) - cost, word if self._text else word.lstrip(" ")))
            self._push(waiting, k, cost, ids, np.where(self._stops_V, -np.inf, log_probs_V))
        return [word for _, word in sorted(found, reverse=True)[:k]]

    def probability(self, word: str) -> float:
        """P(word | text)."""
        model = self._model
        if word == EOS:
            return math.exp(self._log_probs_V[model.eos_id] - self._log_stop)
        before = len(model.tokenizer.encode(self._text))
        ids = model.tokenizer.encode(self._text + word)[before:]
        log_probs_TV = np.vstack((self._log_probs_V, self._after(ids)))
        own = sum(log_probs_TV[place, id] for place, id in enumerate(ids))
        return math.exp(own - self._log_stop + self._log_stops(log_probs_TV[-1]))

    def _after(self, ids: Sequence[int]) -> np.ndarray:
        """ln p of every token behind each of these, (T, V)."""
        return self._model.read_on(self._read, ids)[0]

    def _log_stops(self, log_probs_V: np.ndarray) -> float:
        return float(np.logaddexp.reduce(log_probs_V[self._stops_V].astype(float)))

    @staticmethod
    def _push(
        waiting: list[tuple[float, tuple[int, ...]]], k: int, cost: float, ids: tuple[int, ...], log_probs_V: np.ndarray
    ) -> None:
        """Add the k most probable longer beginnings; others can be among no k most probable words."""
        for id in np.argsort(-log_probs_V)[:k]:
            if np.isfinite(log_probs_V[id]):
                heapq.heappush(waiting, (cost - float(log_probs_V[id]), (*ids, int(id))))
