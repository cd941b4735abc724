"""A token's vector is a sum as in word_parts.py, and its word's vector is a sum in turn: of the word's own and of one
per sequence of letters that another word has as well.

"programmer", "programmers" and "programming" are three words to `WordParts`. Here they share most of their sequences,
as years do, and a rare word begins with what its relatives have learnt. After Bojanowski et al. 2017, "Enriching word
vectors with subword information", arXiv:1607.04606, whose vectors are inputs only; through the tied head these are
targets as well.

V vocabulary, W words, D model, N letter sequences of all words one after another, S different sequences.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sevenepochs.config import check_range
from sevenepochs.errors import UserError
from sevenepochs.model.embedding import Embedding, EmbeddingConfig
from sevenepochs.model.embedding.word_parts import SumOfParts, all_texts, form, numbered, word


@dataclass(frozen=True)
class LetterParts(EmbeddingConfig, kind="letter_parts"):
    """Sequences of `shortest` to `longest` letters, with the word's ends counted as letters. Their sum is divided by
    the root of their number, so that long words do not begin with longer vectors."""

    reads_texts: ClassVar[bool] = True
    shortest: int = 3
    longest: int = 4

    def __post_init__(self) -> None:
        check_range("embedding.shortest", self.shortest, 1, 100)
        check_range("embedding.longest", self.longest, 1, 100)
        if self.shortest > self.longest:
            raise UserError(f"embedding.shortest = {self.shortest} is more than embedding.longest = {self.longest}")

    def build(self, vocab_size: int, d_model: int, texts: Sequence[str] | None) -> Embedding:
        texts = all_texts(texts, vocab_size)
        words = list(map(word, texts))
        of_each = [sequences(text, self.shortest, self.longest) for text in dict.fromkeys(words)]
        return SumOfLetters(d_model, numbered(words), numbered(map(form, texts)), self.handed_out(of_each))

    def handed_out(self, of_each: list[list[str]]) -> list[list[str]]:
        """Return the sequences that each word gets, given each word's own."""
        return of_each


@dataclass(frozen=True)
class OthersLetterParts(LetterParts, kind="others_letter_parts"):
    """The control: each word gets another word's sequences, drawn once for all runs. Sums, rates and sizes are the
    same, and spelling says nothing."""

    def handed_out(self, of_each: list[list[str]]) -> list[list[str]]:
        return [of_each[index] for index in np.random.default_rng(0).permutation(len(of_each))]


class SumOfLetters(SumOfParts):
    """`of_each`: the sequences of each word, in the order of the words' numbers."""

    letters_N: Tensor
    word_N: Tensor
    first_W: Tensor
    share_N: Tensor

    def __init__(self, d_model: int, word_V: Tensor, form_V: Tensor, of_each: Sequence[Sequence[str]]) -> None:
        super().__init__(d_model, word_V, form_V)
        n_words = Counter(sequence for one in of_each for sequence in one)
        number = {sequence: index for index, sequence in enumerate(s for s, n in n_words.items() if n > 1)}
        shared = [[number[sequence] for sequence in one if sequence in number] for one in of_each]
        lengths = torch.tensor([len(one) for one in shared])
        self.letters = nn.Embedding(max(1, len(number)), d_model)
        self.register_buffer("letters_N", torch.tensor([*chain(*shared)], dtype=torch.int64), persistent=False)
        self.register_buffer("word_N", torch.arange(len(shared)).repeat_interleave(lengths), persistent=False)
        self.register_buffer("first_W", lengths.cumsum(0) - lengths, persistent=False)
        self.register_buffer("share_N", lengths.rsqrt().repeat_interleave(lengths), persistent=False)
        self.scale = 1 / math.sqrt(4)

    def of_words(self) -> Tensor:
        # A bag is seven times faster on a CPU (docs/log). On a GPU its gradient waits for the host, which CUDA graphs
        # cannot record (pytorch issue 93807).
        in_bags = self.letters_N.device.type == "cpu"
        return self.word.weight + (self.letters_in_bags() if in_bags else self.letters_added_up())

    def letters_in_bags(self) -> Tensor:
        """Return each word's sum over its sequences, (W, D)."""
        return F.embedding_bag(
            self.letters_N, self.letters.weight, self.first_W, mode="sum", per_sample_weights=self.share_N
        )

    def letters_added_up(self) -> Tensor:
        """Return the same, by adding in place."""
        each_ND = self.share_N.unsqueeze(-1) * self.letters(self.letters_N)
        return torch.zeros_like(self.word.weight).index_add(0, self.word_N, each_ND)


def sequences(text: str, shortest: int, longest: int) -> list[str]:
    """Return the different sequences of letters in a word, its ends marked; none for a word with other characters than
    letters and digits, as special tokens have."""
    if not text.isalnum():
        return []
    marked = f"<{text}>"
    every = (marked[start : start + n] for n in range(shortest, longest + 1) for start in range(len(marked) - n + 1))
    return [sequence for sequence in dict.fromkeys(every) if sequence != marked]
