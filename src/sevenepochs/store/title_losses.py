"""Losses title by title, which pair two runs, and the compact JSON form in which a published result keeps them.

A title's loss is the sum over its tokens and its closing `<eos>`, whatever rows it was scored in (docs/protocol.md).
Compact: the losses are cut to multiples of 1/32 nat by rounding their running sum and taking differences, so that each
title is within 1/32 nat while every sum over consecutive titles, the exact loss among them, stays within 1/32 nat.
numpy only.
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
        """The compact form; about 45 kB for 10,000 titles with their kinds."""
        stock = self.nats_stock_rows
        return {
            "n_titles": len(self.nats),
            "format": _FORMAT,
            "nats_unit": _STEP_NATS,
            "nats": _pack(_quantised(self.nats)),
            "nats_stock_rows": (
                None if stock is None else "nats" if np.array_equal(stock, self.nats) else _pack(_quantised(stock))
            ),
            "n_chars": _pack(self.n_chars),
            "groupings": {
                name: {"label": g.label, "kinds": list(g.kinds), "of_title": _pack(g.of_title)}
                for name, g in self.groupings.items()
            },
        }

    @classmethod
    def from_json(cls, data: Any, where: str) -> TitleLosses:
        """Inverse of `to_json`, up to its rounding.

        Raises:
            UserError: damaged, or written by a version with another form; `where` names the file.
        """
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
    """Losses by piece between `<eos>` tokens, summed to titles: shape (titles,).

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


def _quantised(nats: np.ndarray) -> np.ndarray:
    return np.diff(np.rint(np.cumsum(nats) / _STEP_NATS).astype(np.int64), prepend=0)


def _pack(values: np.ndarray) -> str:
    """The narrowest of three integer types that holds them; its name comes first."""
    kind = next(k for k in ("<u1", "<i2", "<i4") if np.array_equal(values.astype(k), values))
    return f"{kind}:{base64.b64encode(zlib.compress(values.astype(kind).tobytes(), 9)).decode()}"


def _unpack(text: str, n_titles: int) -> np.ndarray:
    kind, _, packed = text.partition(":")
    if kind not in ("<u1", "<i2", "<i4"):
        raise ValueError(f"integers of kind {kind[:8]!r}")
    values = np.frombuffer(zlib.decompress(base64.b64decode(packed, validate=True)), dtype=kind)
    if len(values) != n_titles:
        raise ValueError(f"{len(values)} values for {n_titles} titles")
    return values.astype(np.int64)
