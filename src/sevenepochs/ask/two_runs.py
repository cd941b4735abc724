"""One title, two runs: where the second one gained or lost bits.

Vocabularies may differ, so tokens are lined up by the characters they stand for: a segment is the shortest stretch of
text that both tokenizers cut at both ends. Totals are over the title and its closing `<eos>`, as the metric counts.
"""

from __future__ import annotations

import itertools
import math
from typing import Any

from sevenepochs.ask.reader import Reader
from sevenepochs.protocol.budget import EOS


def on_one_title(first: Reader, second: Reader, text: str) -> dict[str, Any]:
    """Bits of each segment under both runs, each reading the title alone after `<eos>`.

    Returns:
        `runs`: two rows of `run`, `n_tokens`, `surprisal_bits`, `nats_per_char`. `segments`: rows of `start` and `stop`
        (characters of `text`; the last, empty one is the closing `<eos>`), `text`, and for both runs in order `bits`
        and `tokens`; `gained_bits`: what the second run saved.
    """
    text = text.strip()
    sides = [_Side(reader, text) for reader in (first, second)]
    cuts = sorted(sides[0].cuts & sides[1].cuts)
    segments = []
    for start, stop in [*itertools.pairwise(cuts), (len(text), len(text))]:
        parts = [side.between(start, stop) for side in sides]
        bits = [math.fsum(bits for _, bits in part) for part in parts]
        segments.append(
            {
                "start": start,
                "stop": stop,
                "text": text[start:stop] if stop > start else "<eos>",
                "bits": bits,
                "tokens": [[token for token, _ in part] for part in parts],
                "gained_bits": bits[0] - bits[1],
            }
        )
    return {"text": text, "runs": [side.total() for side in sides], "segments": segments}


class _Side:
    """One run's tokens of the text, with bits, and where they cut it."""

    def __init__(self, reader: Reader, text: str) -> None:
        self.reader, self.text = reader, text
        ids, self.spans = reader.tokenizer.encode_with_spans(text)
        (log_probs,) = reader.log_probs_of([[reader.eos_id, *ids, reader.eos_id]])
        self.bits = (-log_probs / math.log(2)).tolist()
        self.tokens = reader.tokens([*ids, reader.eos_id])
        # tokens that share a character (its bytes, or the space put before the text) are not cut apart
        later = [*(start for start, _ in self.spans[1:]), len(text)]
        self.cuts = {0, len(text)} | {
            stop for (_, stop), next_start in zip(self.spans, later, strict=False) if next_start >= stop
        }

    def between(self, start: int, stop: int) -> list[tuple[str, float]]:
        """Tokens and their bits from one common cut to another; from the end to the end it is the closing `<eos>`."""
        if start == stop == len(self.text):
            return [(self.tokens[-1], self.bits[-1])]
        rows = zip(self.tokens, self.bits, self.spans, strict=False)
        return [(token, bits) for token, bits, span in rows if start <= span[0] < stop]

    def total(self) -> dict[str, Any]:
        bits = math.fsum(self.bits)
        return {
            "run": self.reader.name,
            "n_tokens": len(self.tokens),
            "surprisal_bits": bits,
            "nats_per_char": bits * math.log(2) / (len(self.text) + len(EOS)),
        }
