"""Losses of counting and of compressing on the validation titles, by the exact metric: lines to hold a model against.

Kept in results/anchors.json, one entry per set of validation titles and tokenizer. No torch.
"""

from __future__ import annotations

import lzma
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from sevenepochs.comparison.kneser_ney import KneserNey
from sevenepochs.data.corpus.fingerprint import titles_sha256
from sevenepochs.data.tokenizer.base import Tokenizer
from sevenepochs.protocol.budget import Split, char_count
from sevenepochs.protocol.environment import source_facts
from sevenepochs.protocol.scoring import exact_val_loss
from sevenepochs.store import measured

ORDERS = (2, 3, 4, 5)
FILE = "anchors.json"
_SCHEMA_VERSION = 1


@dataclass(frozen=True)
class Anchors:
    """Exact losses of models that only count, nats per character.

    Attributes:
        tokenizer: its kind and size, e.g. "unigram, 16,000 tokens".
        kneser_ney: by the length of the longest n-gram, in tokens.
        xz: of a compressor that has read the training titles.
        commit: of the checkout that measured, with "-dirty" where it was changed; None outside one.
    """

    corpus: str
    validation_titles_sha256: str
    tokenizer: str
    tokenizer_sha256: str
    kneser_ney: dict[int, float]
    xz: float
    commit: str | None


def measure(corpus: str, split: Split, tokenizer: Tokenizer, called: str) -> Anchors:
    """Count the training titles and score the validation titles: some 20 s for 100,000 titles.

    Args:
        corpus: its name.
        called: what the tokenizer is called.
    """
    train_ids, validation_ids = map(tokenizer.encode_stream, (split.train, split.validation))
    n_chars = char_count(split.validation)
    source = source_facts(Path(__file__).parent)
    models = {n: KneserNey(train_ids, tokenizer.vocab_size, tokenizer.eos_id, n) for n in ORDERS}
    return Anchors(
        corpus=corpus,
        validation_titles_sha256=titles_sha256(split.validation),
        tokenizer=called,
        tokenizer_sha256=tokenizer.sha256,
        kneser_ney={n: exact_val_loss(model.log_probs(validation_ids), n_chars) for n, model in models.items()},
        xz=xz_loss(split.train, split.validation),
        commit=None if source is None else source["commit"] + "-dirty" * bool(source["dirty"]),
    )


def xz_loss(train: Sequence[str], validation: Sequence[str]) -> float:
    """By how much xz -9e grows when the validation titles follow the training titles, one per line, in nats per
    character of the joined text."""
    n_bytes = _xz_bytes([*train, *validation]) - _xz_bytes(train)
    return n_bytes * 8 * math.log(2) / char_count(validation)


def _xz_bytes(titles: Sequence[str]) -> int:
    return len(lzma.compress("".join(f"{title}\n" for title in titles).encode(), preset=9 | lzma.PRESET_EXTREME))


def read_anchors(results_root: Path) -> list[Anchors]:
    """Return every entry of results/anchors.json; none where there is no such file. Raises UserError: it is damaged."""
    return measured.read(results_root / FILE, "anchors", _SCHEMA_VERSION, _anchors, "sevenepochs anchors")


def _anchors(entry: dict[str, Any]) -> Anchors:
    return Anchors(**{**entry, "kneser_ney": {int(n): float(loss) for n, loss in entry["kneser_ney"].items()}})


def lines(anchors: Iterable[Anchors], titles: str) -> dict[str, float]:
    """Return levels to draw beside models: the best counting model and xz on the validation titles with this hash,
    by what they are called, highest loss first. Empty where none was measured."""
    there = [entry for entry in anchors if entry.validation_titles_sha256 == titles]
    if not there:
        return {}
    best = min(there, key=lambda entry: min(entry.kneser_ney.values()))
    n, loss = min(best.kneser_ney.items(), key=lambda item: item[1])
    return {"compression: xz": best.xz, f"counting: Kneser-Ney, {n} tokens": loss}


def store(anchors: Anchors, results_root: Path) -> Path:
    """Put `anchors` into results/anchors.json in place of an older entry of these titles and tokenizer. Raises
    UserError: the file is damaged or cannot be written."""

    def key(entry: Anchors) -> tuple[str, ...]:
        return entry.corpus, entry.validation_titles_sha256, entry.tokenizer_sha256

    others = [old for old in read_anchors(results_root) if key(old) != key(anchors)]
    file = results_root / FILE
    measured.write(file, "anchors", _SCHEMA_VERSION, map(asdict, sorted([*others, anchors], key=key)))
    return file
