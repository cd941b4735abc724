"""Byte-level tokenizers that are trained on titles: once for a config and its titles, then kept in the cache.

- BPE, as stock: byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909; byte level: GPT-2).
- Unigram: each piece has a probability and a text is cut into its likeliest pieces (Kudo 2018, "Subword
  regularization", arXiv:1804.10959).
"""

from __future__ import annotations

import contextlib
import hashlib
import inspect
import json
import sys
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from sevenepochs.config import check_choice, check_range
from sevenepochs.data.tokenizer.base import SPECIAL_TOKENS, UNK, Tokenizer, TokenizerConfig
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import Split
from sevenepochs.store.cache import cache_dir
from sevenepochs.store.run import storage

TrainedOn = Literal["train+validation", "train"]
_DIGITS = 4  # of a score; sums in another order differ from the 12th on
_FILLER_STEP = 1e-4  # the trainer scores unused characters at the lowest score + 0, 1, 2 ... such steps


@dataclass(frozen=True)
class TrainedOnce(TokenizerConfig):
    """A tokenizer over bytes, with a vocabulary that is trained.

    Train-only starts from all 256 bytes, so that unseen characters never become `<unk>`. With both splits every byte
    that occurs has been seen anyway, and the stock vocabulary is kept as it is.

    Attributes:
        vocab_size: smaller when the titles run out of pieces.
        trained_on: the challenge trains on training *and* validation titles; "train" keeps validation text out.
    """

    vocab_size: int = 16_000
    trained_on: TrainedOn = "train+validation"

    def __post_init__(self) -> None:
        check_range("tokenizer.vocab_size", self.vocab_size, len(SPECIAL_TOKENS) + 256, 2_000_000)
        check_choice("tokenizer.trained_on", self.trained_on, TrainedOn)

    def build(self, split: Split) -> Tokenizer:
        """Train, or take the same training from the cache."""
        titles = split.train if self.trained_on == "train" else split.train + split.validation
        versions = f"{self.fingerprint()} tokenizers {tokenizers.__version__}\n{_source(self)}\n"
        key = hashlib.sha256(versions.encode())
        for title in titles:
            key.update(title.encode() + b"\0")
        cached = cache_dir() / "tokenizers" / f"{key.hexdigest()}.tok"
        if (tokenizer := _read(cached)) is None:
            tokenizer = Tokenizer(self._train(titles))
            content = f"{tokenizer.sha256}\n{tokenizer.json}".encode()
            with contextlib.suppress(OSError):  # a cache that cannot be written costs seconds, not the run
                cached.parent.mkdir(parents=True, exist_ok=True)
                storage.write_atomic(cached, lambda unfinished: unfinished.write_bytes(content))
        return tokenizer

    @abstractmethod
    def _train(self, titles: tuple[str, ...]) -> str:
        """Return tokenizer.json's text."""

    def _trained(self, model: Any, trainer: Any, titles: tuple[str, ...], **options: Any) -> str:
        """Train one of the library's models with one of its trainers."""
        hf = tokenizers.Tokenizer(model)
        hf.pre_tokenizer = pre_tokenizers.ByteLevel()
        hf.decoder = decoders.ByteLevel()
        options |= {"vocab_size": self.vocab_size, "special_tokens": list(SPECIAL_TOKENS), "show_progress": False}
        alphabet = pre_tokenizers.ByteLevel.alphabet() if self.trained_on == "train" else []
        hf.train_from_iterator(titles, trainer(initial_alphabet=alphabet, **options))
        return str(hf.to_str())


@dataclass(frozen=True)
class BPE(TrainedOnce, kind="bpe"):
    def _train(self, titles: tuple[str, ...]) -> str:
        return self._trained(models.BPE(unk_token=UNK), trainers.BpeTrainer, titles)


@dataclass(frozen=True)
class Unigram(TrainedOnce, kind="unigram"):
    """The challenge's titles run out of pieces at about 40,000."""

    def _train(self, titles: tuple[str, ...]) -> str:
        return _canonical(self._trained(models.Unigram(), trainers.UnigramTrainer, titles, unk_token=UNK))


def _canonical(definition: str) -> str:
    """The same tokenizer, written down in one way: likeliest pieces first, equal ones by their text.

    The library's trainer visits its tables in random order. Its results differ from call to call in three ways that
    change no ids: the last digits of scores, the order of pieces, and the scores of characters that training found no
    use for.
    """
    plain = json.loads(definition)
    n_special = len(SPECIAL_TOKENS)
    special, pieces = plain["model"]["vocab"][:n_special], plain["model"]["vocab"][n_special:]
    assert [piece for piece, _ in special] == list(SPECIAL_TOKENS)
    lowest = min((score for _, score in pieces), default=0.0)

    def canonical(piece: str, score: float) -> float:
        steps = (score - lowest) / _FILLER_STEP
        is_filler = len(piece) == 1 and steps < 257 and abs(steps - round(steps)) < 1e-5
        rounded: float = round(lowest if is_filler else score, _DIGITS)
        return rounded

    scored = [(piece, canonical(piece, score)) for piece, score in pieces]
    plain["model"]["vocab"] = [*special, *sorted(scored, key=lambda pair: (-pair[1], pair[0]))]
    return json.dumps(plain, ensure_ascii=False)


def _source(config: TokenizerConfig) -> str:
    """The source of the module that trains it, since another version may train another tokenizer; "" without files."""
    try:
        return inspect.getsource(sys.modules[type(config).__module__])
    except (OSError, TypeError, KeyError):
        return ""


def _read(path: Path) -> Tokenizer | None:
    """The cached tokenizer; None when it is not there yet or damaged. Its hash is the first line: a changed letter in a
    token would still be valid JSON."""
    try:
        sha256, _, definition = path.read_bytes().decode().partition("\n")
        tokenizer = Tokenizer(definition)
    except (OSError, UnicodeDecodeError, UserError):
        return None
    return tokenizer if tokenizer.sha256 == sha256 else None
