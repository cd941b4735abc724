"""A token's vector is a sum of three: its word's, whatever case and space; its form's (case and space); and its own.

A table learns "the", " the", " The" and " THE" apart, and two thirds of a vocabulary trained on headlines have such
relatives. Here what one of them learns serves all, at the input and, through the tied head, at the output; its own
part holds what is peculiar to it. Sums of parts: factored language models (Bilmes & Kirchhoff 2003).

B batch, T position in the row, D model, V vocabulary, W words, F forms.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from sevenepochs.model.embedding import Embedding, EmbeddingConfig


@dataclass(frozen=True)
class WordParts(EmbeddingConfig, kind="word_parts"):
    """Parts are drawn alike and their sum is divided by sqrt(3): tokens begin with the variance of a table, a third of
    it in common where they are one word. Under Adam each part moves by the learning rate, so a token moves by up to
    sqrt(3) times as much as a row of a table."""

    reads_texts: ClassVar[bool] = True

    def build(self, vocab_size: int, d_model: int, texts: Sequence[str] | None) -> Embedding:
        texts = all_texts(texts, vocab_size)
        return SumOfParts(d_model, numbered(map(word, texts)), numbered(map(form, texts)))


class SumOfParts(nn.Module):
    """`word_V` and `form_V`: the numbers of each token's word and form."""

    word_V: Tensor
    form_V: Tensor

    def __init__(self, d_model: int, word_V: Tensor, form_V: Tensor) -> None:
        super().__init__()
        self.own = nn.Embedding(len(word_V), d_model)
        self.word = nn.Embedding(int(word_V.max()) + 1, d_model)
        self.form = nn.Embedding(int(form_V.max()) + 1, d_model)
        self.register_buffer("word_V", word_V, persistent=False)
        self.register_buffer("form_V", form_V, persistent=False)
        self.scale = 1 / math.sqrt(3)

    @property
    def weight(self) -> Tensor:
        """The table that the parts add up to, (V, D)."""
        return self.scale * (self.own.weight + self.of_words()[self.word_V] + self.form(self.form_V))

    def of_words(self) -> Tensor:
        """Return each word's vector, (W, D)."""
        return self.word.weight

    def forward(self, x_BT: Tensor) -> Tensor:
        return F.embedding(x_BT, self.weight)


def all_texts(texts: Sequence[str] | None, vocab_size: int) -> Sequence[str]:
    """Return the texts.

    Raises:
        ValueError: they are missing, or of another vocabulary.
    """
    if texts is None or len(texts) != vocab_size:
        raise ValueError(f"the texts of all {vocab_size} tokens are needed: build_model(vocab_size, texts)")
    return texts


def word(text: str) -> str:
    """Return a token's text without its leading space and its case. Special tokens are their own words."""
    return text.removeprefix(" ").casefold()


def form(text: str) -> tuple[bool, str]:
    """Return whether a space comes first, and the case: none, lower, title, upper or mixed. Special tokens and parts of
    characters, written "<eos>" and "\\xe2", count as lower."""
    bare = text.removeprefix(" ")
    if bare.lower() == bare.upper():
        case = "none"
    elif bare == bare.lower():
        case = "lower"
    elif bare[0].isupper() and bare[1:] == bare[1:].lower():
        case = "title"  # also a single capital: it begins words far more often than it is one
    else:
        case = "upper" if bare == bare.upper() else "mixed"
    return text != bare, case


def numbered(keys: Iterable[Hashable]) -> Tensor:
    """Return each key's number, int64, counted in the order of first occurrence."""
    numbers: dict[Hashable, int] = {}
    return torch.tensor([numbers.setdefault(key, len(numbers)) for key in keys])
