"""Log-probabilities token by token, in the compact form in which a published result keeps them.

A result's token_losses.npz holds three arrays of N numbers, one per token of the validation stream (each title's tokens
and its closing `<eos>`), scored in fp32 under the recipe's own rows:

    log_probs       ln p(token | what the row shows before it), in multiples of 1/64 nat
    stop_log_probs  ln p(a token of S | the same), S being `<eos>` and all tokens that begin with a space, likewise
    n_bytes         bytes of UTF-8 that the token stands for; 0 for `<eos>`

With them members of an ensemble that have other tokenizers are mixed word by word (docs/protocol.md), without their
weights. The sums over consecutive tokens are within 1/64 nat of the true ones. numpy only.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from sevenepochs.errors import UserError
from sevenepochs.store.run import Run, layout
from sevenepochs.store.title_losses import narrowest, quantised

FILE = "token_losses.npz"
UNIT_NATS = 1 / 64
_ARRAYS = ("log_probs", "stop_log_probs", "n_bytes")


@dataclass(frozen=True)
class TokenLosses:
    """One run's validation stream, token by token: three arrays (N,), described above, the first two in nats."""

    log_probs: np.ndarray
    stop_log_probs: np.ndarray
    n_bytes: np.ndarray

    @classmethod
    def of(cls, run: Run) -> TokenLosses | None:
        """Return a finished run's own, in full precision; None for an ensemble and for runs from before they were kept.
        Raises UserError: the file is missing or damaged."""
        tensors = run.load_tensors(layout.TITLE_LOSSES)
        return cls(*(tensors[name] for name in layout.BY_TOKEN)) if tensors.keys() >= set(layout.BY_TOKEN) else None

    def to_bytes(self) -> bytes:
        """Return the file's content: some 300 kB for 140,000 tokens. The same arrays give the same bytes."""
        buffer = io.BytesIO()
        whole = (quantised(self.log_probs, UNIT_NATS), quantised(self.stop_log_probs, UNIT_NATS), self.n_bytes)
        log_probs, stops, n_bytes = (values.astype(narrowest(values)) for values in whole)
        np.savez_compressed(buffer, log_probs=log_probs, stop_log_probs=stops, n_bytes=n_bytes)
        return buffer.getvalue()

    @classmethod
    def read(cls, path: Path) -> TokenLosses:
        """Inverse of `to_bytes`, up to its rounding. Raises UserError: the file is missing or damaged."""
        try:
            with np.load(path, allow_pickle=False) as arrays:
                log_probs, stops, n_bytes = (arrays[name].astype(np.int64) for name in _ARRAYS)
            if not log_probs.shape == stops.shape == n_bytes.shape == (len(log_probs),):
                raise ValueError("its arrays differ in length")
        except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
            raise UserError(f"{path} cannot be read ({error}); publish the run again") from None
        return cls(log_probs * UNIT_NATS, stops * UNIT_NATS, n_bytes)
