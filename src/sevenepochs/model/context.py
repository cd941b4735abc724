"""What the parts of one forward pass share: which position and title each token has, what was read before this call,
and what a caller wants to look at.

A context lives for one call of the model. Every part (position, attention, MLP, residual, skip) is handed it and takes
what it needs, so a technique that spans layers stays in its own file: it leaves a tensor in `shared` under a name of
its own and finds it there in a later layer.

B batch, T position of this call, S position of the whole row (what was read before, then T), H heads, X anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor


class KVCache:
    """What rows that are read in pieces have kept: keys, values and whatever else a part `remember`s. `length`: the
    tokens read so far, the same for every row. Made by `GPTModel.new_cache`, filled by its forward passes.

    Tensors are replaced, never written into, so caches share them: `fork`, `first`, `rows` and `compact` give a cache
    of their own and leave this one as it is.
    """

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.length = 0
        self._kept: dict[tuple[int, str], tuple[Tensor, int]] = {}  # and the dimension it grows along

    def extend(self, layer: int, name: str, new: Tensor, dim: int) -> Tensor:
        """Keep `new` (batch first) behind what this layer kept under this name, along `dim`; return all of it."""
        whole = new
        if (layer, name) in self._kept:
            whole = torch.cat((self._kept[layer, name][0], new), dim=dim)
        self._kept[layer, name] = whole, dim
        return whole

    def fork(self) -> KVCache:
        """The same rows so far, to be continued in another way."""
        return self._with(lambda tensor, dim: tensor, self.batch_size, self.length)

    def first(self, n_tokens: int) -> KVCache:
        """The first `n_tokens` of every row (views)."""
        if not 0 <= n_tokens <= self.length:
            raise ValueError(f"this cache has {self.length} tokens, not {n_tokens}")
        return self._with(lambda tensor, dim: tensor.narrow(dim, 0, n_tokens), self.batch_size, n_tokens)

    def rows(self, index_B: Tensor) -> KVCache:
        """The chosen rows, in that order; a row may be chosen several times."""
        return self._with(lambda tensor, dim: tensor.index_select(0, index_B), len(index_B), self.length)

    def compact(self) -> KVCache:
        """The same in memory of its own size: a view keeps all that it was cut from alive."""
        return self._with(lambda tensor, dim: _compact(tensor), self.batch_size, self.length)

    @property
    def n_bytes(self) -> int:
        """Memory of the kept tensors, shared ones counted in each cache, views by what they show."""
        return sum(tensor.numel() * tensor.element_size() for tensor, _ in self._kept.values())

    def _with(self, change: Callable[[Tensor, int], Tensor], batch_size: int, length: int) -> KVCache:
        cache = KVCache(batch_size)
        cache.length = length
        cache._kept = {key: (change(tensor, dim), dim) for key, (tensor, dim) in self._kept.items()}
        return cache


def _compact(tensor: Tensor) -> Tensor:
    n_bytes = tensor.numel() * tensor.element_size()
    return tensor if tensor.untyped_storage().nbytes() == n_bytes else tensor.clone()


@dataclass
class Trace:
    """What a pass looked like inside, in fp32: `hidden_BTD` after the embedding and after each block (n_layer + 1),
    `attention_BHTS` the attention weights of each layer (n_layer)."""

    hidden_BTD: list[Tensor] = field(default_factory=list)
    attention_BHTS: list[Tensor] = field(default_factory=list)


@dataclass
class Context:
    """One forward pass. `layer` is the block that runs now; `shared` holds tensors by name, for later layers.

    `positions_BT`: None when tokens are simply counted along the row. `title_BS`: each token's title, a number that
    grows along the row; attention stays inside it. None: the row is one text.
    """

    layer: int = 0
    cache: KVCache | None = None
    trace: Trace | None = None
    positions_BT: Tensor | None = None
    title_BS: Tensor | None = None
    shared: dict[str, Tensor] = field(default_factory=dict)

    @property
    def start(self) -> int:
        """Tokens of the row that were read before this call."""
        return self.cache.length if self.cache is not None else 0

    @property
    def is_plain(self) -> bool:
        """Whether "look back only" says all about who sees whom, and no earlier token is involved."""
        return self.title_BS is None and self.start == 0

    def remember(self, name: str, new: Tensor, dim: int) -> Tensor:
        """This call's tensor behind those that earlier calls of this row kept in this layer, along `dim`."""
        return new if self.cache is None else self.cache.extend(self.layer, name, new, dim)

    def at_positions(self, table_PX: Tensor, n_tokens: int) -> Tensor:
        """The rows of a table by position that belong to this call's tokens: (T, X), or (B, T, X) where positions
        restart."""
        if self.positions_BT is not None:
            return table_PX[self.positions_BT]
        return table_PX[self.start : self.start + n_tokens]

    def hidden_from(self, n_tokens: int, device: torch.device) -> Tensor:
        """True where a query must not look, of shape (1 or B, 1, T, S); made once and kept for all layers."""
        if "hidden_from" not in self.shared:
            n_all = self.start + n_tokens
            hidden = torch.ones(n_tokens, n_all, dtype=torch.bool, device=device).triu(self.start + 1)[None, None]
            if self.title_BS is not None:
                own_B1T1 = self.title_BS[:, None, n_all - n_tokens :, None]
                hidden = hidden | (own_B1T1 != self.title_BS[:, None, None, :])
            self.shared["hidden_from"] = hidden
        return self.shared["hidden_from"]
