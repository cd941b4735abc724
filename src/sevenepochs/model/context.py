"""The context of one forward pass: titles of tokens, the key/value cache, a trace for a caller.

Every part of the model is called with it, so a technique that spans layers stays in its own file: it leaves a tensor
in `shared` under a name of its own and finds it there in a later layer.

B batch, T position of this call, S position of the whole row (earlier calls, then T), H heads, X anything.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor


class KVCache:
    """Keys, values and whatever else the parts `remember` of rows that are read in pieces. `length`: tokens read so
    far, the same for every row. Made by `GPTModel.new_cache`, filled by forward passes.

    Tensors are replaced, never written into, so that caches can share them: `fork`, `first`, `rows` and `compact`
    return new caches and leave this one as it is.
    """

    def __init__(self, batch_size: int) -> None:
        self.batch_size = batch_size
        self.length = 0
        self._kept: dict[tuple[int, str], tuple[Tensor, int]] = {}  # tensor, and the dimension it grows along

    def extend(self, layer: int, name: str, new: Tensor, dim: int) -> Tensor:
        """Append `new` (batch first) along `dim` to the layer's tensor of this name; return the whole tensor."""
        whole = new
        if (layer, name) in self._kept:
            whole = torch.cat((self._kept[layer, name][0], new), dim=dim)
        self._kept[layer, name] = whole, dim
        return whole

    def fork(self) -> KVCache:
        """Return a cache of the same rows, to be continued in another way."""
        return self._with(lambda tensor, dim: tensor, self.batch_size, self.length)

    def first(self, n_tokens: int) -> KVCache:
        """Return the first `n_tokens` of every row, as views.

        Raises:
            ValueError: the cache has fewer.
        """
        if not 0 <= n_tokens <= self.length:
            raise ValueError(f"this cache has {self.length} tokens, not {n_tokens}")
        return self._with(lambda tensor, dim: tensor.narrow(dim, 0, n_tokens), self.batch_size, n_tokens)

    def rows(self, index_B: Tensor) -> KVCache:
        """Return the chosen rows in this order; a row may be chosen several times."""
        return self._with(lambda tensor, dim: tensor.index_select(0, index_B), len(index_B), self.length)

    def compact(self) -> KVCache:
        """Return the same in memory of its own size: a view keeps all that it was cut from alive."""
        return self._with(lambda tensor, dim: _compact(tensor), self.batch_size, self.length)

    @property
    def n_bytes(self) -> int:
        """Bytes of the kept tensors; shared ones count in each cache, views with their own size."""
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
    """The inside of a pass, in fp32: `hidden_BTD` after the embedding and after each block (n_layer + 1),
    `attention_BHTS` the attention weights of each layer (n_layer)."""

    hidden_BTD: list[Tensor] = field(default_factory=list)
    attention_BHTS: list[Tensor] = field(default_factory=list)


@dataclass
class Context:
    """One forward pass.

    Attributes:
        layer: the block that runs now.
        title_BS: each token's title, a number that grows along the row; attention stays inside it. None: one text.
        shared: tensors by name, for later layers.
    """

    layer: int = 0
    cache: KVCache | None = None
    trace: Trace | None = None
    title_BS: Tensor | None = None
    shared: dict[str, Tensor] = field(default_factory=dict)

    @property
    def start(self) -> int:
        """Number of tokens that were read before this call."""
        return self.cache.length if self.cache is not None else 0

    @property
    def is_plain(self) -> bool:
        """Whether the causal mask is the only mask, and no earlier token is involved."""
        return self.title_BS is None and self.start == 0

    def remember(self, name: str, new: Tensor, dim: int) -> Tensor:
        """Return this call's tensor behind those that earlier calls of this row kept in this layer, along `dim`."""
        return new if self.cache is None else self.cache.extend(self.layer, name, new, dim)

    def at_positions(self, table_PX: Tensor, n_tokens: int) -> Tensor:
        """Return a table's rows at this call's positions, of shape (n_tokens, X)."""
        return table_PX[self.start : self.start + n_tokens]

    def hidden_from(self, n_tokens: int, device: torch.device) -> Tensor:
        """Return a mask of shape (1 or B, 1, T, S), True where a query must not look; one for all layers."""
        if "hidden_from" not in self.shared:
            n_all = self.start + n_tokens
            hidden = torch.ones(n_tokens, n_all, dtype=torch.bool, device=device).triu(self.start + 1)[None, None]
            if self.title_BS is not None:
                own_B1T1 = self.title_BS[:, None, n_all - n_tokens :, None]
                hidden = hidden | (own_B1T1 != self.title_BS[:, None, None, :])
            self.shared["hidden_from"] = hidden
        return self.shared["hidden_from"]
