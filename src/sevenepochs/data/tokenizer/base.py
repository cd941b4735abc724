"""A trained tokenizer: titles to one id stream and back, and the proof that nothing is lost on the way."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from tokenizers import Tokenizer as HFTokenizer

from sevenepochs.config import Config
from sevenepochs.data import check_text
from sevenepochs.data.tokenizer.words import cuts_at_words, encode_titles
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import EOS, Split

PAD, UNK = "<pad>", "<unk>"
SPECIAL_TOKENS = (PAD, EOS, UNK)  # ids 0, 1, 2, as stock

# Byte-level vocabularies write each byte as a letter: printable ones of Latin-1 as themselves, the rest from U+0100 on.
_PRINTABLE_BYTES = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_OTHER_BYTES = [byte for byte in range(0x100) if byte not in _PRINTABLE_BYTES]
_BYTE_OF_LETTER = {chr(byte): byte for byte in _PRINTABLE_BYTES}
_BYTE_OF_LETTER |= {chr(0x100 + n): byte for n, byte in enumerate(_OTHER_BYTES)}
_SPACE = "\u0120"


class TokenizerConfig(Config, ABC):
    """Slot `tokenizer`."""

    @abstractmethod
    def build(self, split: Split) -> Tokenizer:
        """A tokenizer trained on the split's titles, or the same training from the cache."""


@dataclass(frozen=True)
class Fidelity:
    """The changes that a tokenizer makes to titles. Reversible: decode(encode(title)) gives the title back, less one
    leading space that the pre-tokenizer added, and no `<unk>` occurs."""

    n_titles: int
    n_changed: int
    n_unknown_tokens: int
    n_with_special_text: int
    first_changed: tuple[tuple[str, str], ...]

    @property
    def reversible(self) -> bool:
        return self.n_changed == 0 and self.n_unknown_tokens == 0


class Tokenizer:
    """Wraps a Hugging Face tokenizer; `json` is its whole definition and `sha256` its identity."""

    def __init__(self, json: str, called: str = "the text") -> None:
        """Raises UserError, in which the definition is `called` so, when it is none or has no `<eos>`."""
        try:
            self._hf = HFTokenizer.from_str(json)
        except Exception as error:  # the library raises bare Exception on malformed JSON
            raise UserError(f"{called} is not a tokenizer.json: {error}; put it back from a copy") from None
        self.json = json
        self.sha256 = hashlib.sha256(json.encode()).hexdigest()
        self._by_words = cuts_at_words(json)
        eos_id = self._hf.token_to_id(EOS)
        if eos_id is None:
            raise UserError(f"the tokenizer has no {EOS} token")
        self.eos_id: int = eos_id
        self.unk_id: int | None = self._hf.token_to_id(UNK)
        self.vocab_size: int = self._hf.get_vocab_size()

    def encode(self, text: str) -> list[int]:
        """Return the ids of a text; the literal text `<eos>` becomes the special token, as in the challenge.

        Raises:
            UserError: half a surrogate pair in it.
        """
        return list(self._hf.encode(check_text(text, "the text")).ids)

    def encode_stream(self, titles: Sequence[str]) -> np.ndarray:
        """Return the ids of the titles, each closed by `<eos>`, as one int32 array.

        Equal to encoding the joined text at once: a special token starts a new pre-tokenisation.
        """
        return encode_titles(self._hf, titles, self.eos_id, by_words=self._by_words)

    def decode(self, ids: Sequence[int]) -> str:
        """Return the text of ids, special tokens shown."""
        return str(self._hf.decode([int(i) for i in ids], skip_special_tokens=False))

    def encode_with_spans(self, text: str) -> tuple[list[int], list[tuple[int, int]]]:
        """Return the ids of a text, and for each the characters (start, stop) of `text` that it stands for.

        Tokens that are parts of one character share that character.
        """
        encoding = self._hf.encode(check_text(text, "the text"))
        return list(encoding.ids), [(int(start), int(stop)) for start, stop in encoding.offsets]

    def show(self, id: int) -> str:
        """Return one token as people can read it: its text with its leading space; bytes of a split character as \\xe2.

        `decode` gives a replacement character for those, so that different tokens would look alike.
        """
        if self.is_text(id):
            return self.decode([id])
        piece = str(self._hf.id_to_token(id))
        if not all(letter in _BYTE_OF_LETTER for letter in piece):
            return piece
        return bytes(_BYTE_OF_LETTER[letter] for letter in piece).decode(errors="backslashreplace")

    def texts(self) -> list[str]:
        """Return every token as `show` gives it, by id."""
        return [self.show(id) for id in range(self.vocab_size)]

    def stops(self) -> np.ndarray:
        """Return the mask (V,) of tokens before which a word is complete: `<eos>` and those that begin with a space."""
        return np.array([id == self.eos_id or piece.startswith(_SPACE) for id, piece in enumerate(self._pieces())])

    def n_bytes(self) -> np.ndarray:
        """Return the bytes (V,) of UTF-8 that each token stands for; 0 for `<eos>`.

        The space that the pre-tokenizer puts before a title counts as a byte of its first token.
        """
        return np.array([0 if id == self.eos_id else len(piece) for id, piece in enumerate(self._pieces())])

    def _pieces(self) -> list[str]:
        return [str(self._hf.id_to_token(id)) for id in range(self.vocab_size)]

    def is_text(self, id: int) -> bool:
        """Return whether a token is text by itself, and not a part of a character."""
        return "\N{REPLACEMENT CHARACTER}" not in self.decode([id])

    def fidelity(self, titles: Sequence[str]) -> Fidelity:
        """Encode and decode every title and compare."""
        encoded = [e.ids for e in self._hf.encode_batch_fast(list(titles))]
        decoded = self._hf.decode_batch(encoded, skip_special_tokens=False)
        pairs = zip(titles, decoded, strict=True)
        changed = [(title, text) for title, text in pairs if title not in (text, text.removeprefix(" "))]
        # `<unk>` where the title does not say so itself
        n_unk = [sum(id == self.unk_id for id in ids) for ids in encoded]
        return Fidelity(
            n_titles=len(titles),
            n_changed=len(changed),
            n_unknown_tokens=sum(max(0, n - title.count(UNK)) for n, title in zip(n_unk, titles, strict=True)),
            n_with_special_text=sum(any(token in title for token in SPECIAL_TOKENS) for title in titles),
            first_changed=tuple(changed[:3]),
        )
