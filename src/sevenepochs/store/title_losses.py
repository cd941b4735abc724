"""Losses title by title, which pair two runs, and the compact JSON form in which a published result keeps them.

A title's loss is the sum over its tokens and its closing `<eos>`, whatever rows it was scored in (docs/protocol.md).
The compact form rounds the running sum of the losses to multiples of 1/32 nat and keeps its differences. Each title,
and every sum over consecutive titles, the exact loss among them, stays within 1/32 nat. numpy only.
"""

from __future__ import annotations

import base64
import binascii
import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sevenepochs.errors import UserError

NAME = "title_losses"  # analysis/title_losses.json of a run folder and of a result
_STEP_NATS = 1 / 32
_FORMAT = "base64 of zlib of little-endian integers"
_INTEGERS = ("<u1", "<i2", "<i4", "<i8")


@dataclass(frozen=True)
class Grouping:
    """One way to sort titles into kinds: `of_title` (titles,) indexes `kinds`, the names of the kinds."""

    label: str
    kinds: tuple[str, ...]
    of_title: np.ndarray


@dataclass(frozen=True)
class TitleLosses:
    """One run's losses on its validation titles, in protocol order.

    Attributes:
        nats: (titles,) under the recipe's own rows.
        nats_stock_rows: (titles,) under stock rows; equal to `nats` where the recipe's rows are stock, None where
            nobody computed them.
        n_chars: (titles,) characters, the 5 of the closing `<eos>` included; their sum is L.
        groupings: kinds of titles by the grouping's name; empty where the titles were not at hand.
    """

    nats: np.ndarray
    n_chars: np.ndarray
    nats_stock_rows: np.ndarray | None = None
    groupings: Mapping[str, Grouping] = field(default_factory=dict)

    @property
    def exact_val_loss(self) -> float:
        """Nats per character."""
        return math.fsum(self.nats) / float(self.n_chars.sum())

    def to_json(self) -> dict[str, Any]:
        """Return the compact form; about 45 kB for 10,000 titles with their kinds."""
        nats, stock = _pack(quantised(self.nats, _STEP_NATS)), self.nats_stock_rows
        same = stock is not None and np.array_equal(stock, self.nats)
        return {
            "n_titles": len(self.nats),
            "format": _FORMAT,
            "nats_unit": _STEP_NATS,
            "nats": nats,
            "nats_stock_rows": None if stock is None else "nats" if same else _pack(quantised(stock, _STEP_NATS)),
            "n_chars": _pack(self.n_chars),
            "groupings": {
                name: {"label": g.label, "kinds": list(g.kinds), "of_title": _pack(g.of_title)}
                for name, g in self.groupings.items()
            },
        }

    @classmethod
    def from_json(cls, data: Any, where: str) -> TitleLosses:
        """Inverse of `to_json`, up to its rounding. Raises UserError: damaged, or of another version's form; the
        message calls the file `where`."""
        try:
            n, unit = int(data["n_titles"]), float(data["nats_unit"])
            nats = _unpack(data["nats"], n) * unit
            stock = data["nats_stock_rows"]
            return cls(
                nats=nats,
                n_chars=_unpack(data["n_chars"], n),
                nats_stock_rows=None if stock is None else nats if stock == "nats" else _unpack(stock, n) * unit,
                groupings={
                    name: Grouping(g["label"], tuple(g["kinds"]), _unpack(g["of_title"], n))
                    for name, g in data["groupings"].items()
                },
            )
        except (KeyError, TypeError, ValueError, AttributeError, zlib.error, binascii.Error) as error:
            raise UserError(f"{where} is damaged ({error}); publish the run again") from None


def by_title(nats: np.ndarray, titles: tuple[str, ...], eos: str) -> np.ndarray:
    """Sum losses of pieces between `<eos>` tokens to losses of titles: shape (titles,).

    A title that contains the literal text `<eos>` is encoded with that token inside and so falls into several pieces.

    Raises:
        UserError: the pieces are not those of these titles.
    """
    if len(nats) == len(titles):  # also under a tokenizer that reads the literal text as text
        return nats
    n_pieces = np.array([1 + title.count(eos) for title in titles])
    if n_pieces.sum() != len(nats):
        raise UserError(
            f"the run has losses of {len(nats):,} titles, its corpus has {n_pieces.sum():,}; "
            "pass the corpus that the run was validated on with --corpus"
        )
    return np.add.reduceat(nats, np.concatenate(([0], np.cumsum(n_pieces)[:-1])))


def quantised(nats: np.ndarray, step_nats: float) -> np.ndarray:
    """Return multiples of `step_nats`, as integers, by differences of the rounded running sum: every sum over
    consecutive values keeps its error below one step."""
    return np.diff(np.rint(np.cumsum(nats) / step_nats).astype(np.int64), prepend=0)


def narrowest(values: np.ndarray) -> str:
    """Return the name of the narrowest integer type that holds the values."""
    return next(kind for kind in _INTEGERS if np.array_equal(values.astype(kind), values))


def _pack(values: np.ndarray) -> str:
    kind = narrowest(values)
    return f"{kind}:{base64.b64encode(zlib.compress(values.astype(kind).tobytes(), 9)).decode()}"


def _unpack(text: str, n_titles: int) -> np.ndarray:
    kind, _, packed = text.partition(":")
    if kind not in _INTEGERS:
        raise ValueError(f"integers of kind {kind[:8]!r}")
    values = np.frombuffer(zlib.decompress(base64.b64decode(packed, validate=True)), dtype=kind)
    if len(values) != n_titles:
        raise ValueError(f"{len(values)} values for {n_titles} titles")
    return values.astype(np.int64)
