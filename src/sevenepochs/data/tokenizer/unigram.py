"""Byte-level Unigram: each piece has a probability and a text is cut into its likeliest pieces (Kudo 2018, "Subword
regularization", arXiv:1804.10959).

The library's trainer visits its tables in random order. What comes of it differs from call to call in three ways that
change nothing but would make two runs differ: the last digits of scores, the order of pieces, and the scores of
characters that training found no use for. `_canonical` takes all three out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from sevenepochs.config import check_choice, check_range
from sevenepochs.data.tokenizer.base import SPECIAL_TOKENS, UNK, Tokenizer, TokenizerConfig
from sevenepochs.data.tokenizer.trained_once import TrainedOn, titles_for, trained_once
from sevenepochs.protocol.budget import Split

_DIGITS = 4  # of a score; sums in another order differ from the 12th on
_FILLER_STEP = 1e-4  # the trainer scores unused characters at the lowest score + 0, 1, 2 ... such steps


@dataclass(frozen=True)
class Unigram(TokenizerConfig, kind="unigram"):
    """`trained_on`: as BPE's; train-only starts from all 256 bytes, so that nothing ever becomes `<unk>`."""

    vocab_size: int = 16_000
    trained_on: TrainedOn = "train+validation"

    def __post_init__(self) -> None:
        check_range("tokenizer.vocab_size", self.vocab_size, len(SPECIAL_TOKENS) + 256, 2_000_000)
        check_choice("tokenizer.trained_on", self.trained_on, TrainedOn)

    def build(self, split: Split) -> Tokenizer:
        """Train, or take the same training from the cache.

        The vocabulary is smaller when the titles run out of pieces (at about 40,000 for the challenge's titles).
        """
        titles = titles_for(self.trained_on, split)
        return trained_once(self, titles, lambda: self._train(titles))

    def _train(self, titles: tuple[str, ...]) -> str:
        hf = tokenizers.Tokenizer(models.Unigram())
        hf.pre_tokenizer = pre_tokenizers.ByteLevel()
        hf.decoder = decoders.ByteLevel()
        trainer = trainers.UnigramTrainer(
            vocab_size=self.vocab_size,
            special_tokens=list(SPECIAL_TOKENS),
            unk_token=UNK,
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet() if self.trained_on == "train" else [],
            show_progress=False,
        )
        hf.train_from_iterator(titles, trainer)
        return _canonical(str(hf.to_str()))


def _canonical(definition: str) -> str:
    """The same tokenizer, written down in one way: likeliest pieces first, equal ones by their text."""
    plain = json.loads(definition)
    n_special = len(SPECIAL_TOKENS)
    special, pieces = plain["model"]["vocab"][:n_special], plain["model"]["vocab"][n_special:]
    assert [piece for piece, _ in special] == list(SPECIAL_TOKENS)
    lowest = min((score for _, score in pieces), default=0.0)
    scored = [(piece, lowest if _is_filler(piece, score - lowest) else score) for piece, score in pieces]
    scored = [(piece, round(score, _DIGITS)) for piece, score in scored]
    plain["model"]["vocab"] = [*special, *sorted(scored, key=lambda pair: (-pair[1], pair[0]))]
    return json.dumps(plain, ensure_ascii=False)


def _is_filler(piece: str, above_lowest: float) -> bool:
    steps = above_lowest / _FILLER_STEP
    return len(piece) == 1 and steps < 257 and abs(steps - round(steps)) < 1e-5
