"""Byte-level byte-pair encoding (Sennrich et al. 2016, arXiv:1508.07909; byte level: GPT-2), as stock."""

from __future__ import annotations

from dataclasses import dataclass

import tokenizers
from tokenizers import decoders, models, pre_tokenizers, trainers

from sevenepochs.config import check_choice, check_range
from sevenepochs.data.tokenizer.base import SPECIAL_TOKENS, UNK, Tokenizer, TokenizerConfig
from sevenepochs.data.tokenizer.trained_once import TrainedOn, titles_for, trained_once
from sevenepochs.protocol.budget import Split


@dataclass(frozen=True)
class BPE(TokenizerConfig, kind="bpe"):
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
        titles = titles_for(self.trained_on, split)
        return trained_once(self, titles, lambda: self._train(titles))

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
