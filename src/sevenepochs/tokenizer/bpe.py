"""Byte-level byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909; byte level: GPT-2), as stock."""

from __future__ import annotations

import contextlib
import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from sevenepochs.cache import cache_dir
from sevenepochs.config import check_choice, check_range
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import Split
from sevenepochs.tokenizer.base import SPECIAL_TOKENS, UNK, Tokenizer, TokenizerConfig

TrainedOn = Literal["train+validation", "train"]


@dataclass(frozen=True)
class BPE(TokenizerConfig):
    """`trained_on`: the challenge trains on training *and* validation titles; "train" keeps validation text out.

    Train-only starts from all 256 bytes, so that unseen characters never become `<unk>`. With both splits every byte
    that occurs has been seen anyway, and the stock vocabulary is kept as it is.
    """

    vocab_size: int = 16_000
    trained_on: TrainedOn = "train+validation"

    def __post_init__(self) -> None:
        check_range("tokenizer.vocab_size", self.vocab_size, len(SPECIAL_TOKENS) + 256, 2_000_000)
        check_choice("tokenizer.trained_on", self.trained_on, TrainedOn)

    def build(self, split: Split) -> Tokenizer:
        """Train, or take the same training from the cache.

        The vocabulary is smaller when the titles run out of pairs.
        """
        titles = split.train if self.trained_on == "train" else split.train + split.validation
        key = hashlib.sha256(f"{self.fingerprint()} tokenizers {tokenizers.__version__}\n".encode())
        for title in titles:
            key.update(title.encode() + b"\0")
        cached = cache_dir() / "tokenizers" / f"{key.hexdigest()}.tok"
        if (tokenizer := _read(cached)) is None:
            tokenizer = Tokenizer(self._train(titles))
            _write(cached, tokenizer)
        return tokenizer

    def _train(self, titles: tuple[str, ...]) -> str:
        hf = tokenizers.Tokenizer(models.BPE(unk_token=UNK))
        hf.pre_tokenizer = pre_tokenizers.ByteLevel()
        hf.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=self.vocab_size,
            special_tokens=list(SPECIAL_TOKENS),
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet() if self.trained_on == "train" else [],
            show_progress=False,
        )
        hf.train_from_iterator(titles, trainer)
        return str(hf.to_str())


def _read(path: Path) -> Tokenizer | None:
    """The cached tokenizer; None when it is not there yet or damaged. Its hash is the first line: a changed letter in a
    token would still be valid JSON."""
    try:
        sha256, _, json = path.read_bytes().decode().partition("\n")
        tokenizer = Tokenizer(json)
    except (OSError, UnicodeDecodeError, UserError):
        return None
    return tokenizer if tokenizer.sha256 == sha256 else None


def _write(path: Path, tokenizer: Tokenizer) -> None:
    """Whole or not at all; a cache that cannot be written costs seconds, not the run."""
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(f".{os.getpid()}.partial")
        partial.write_bytes(f"{tokenizer.sha256}\n{tokenizer.json}".encode())
        partial.replace(path)
