"""Networks with one vocabulary, asked as one: the members of an ensemble that share a tokenizer."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from sevenepochs.errors import UserError
from sevenepochs.model.context import KVCache, Trace
from sevenepochs.model.gpt import GPTModel


class MixtureCache(KVCache):
    """One cache per network, for the same rows."""

    def __init__(self, caches: Sequence[KVCache]) -> None:
        super().__init__(caches[0].batch_size)
        self.caches = tuple(caches)
        self.length = caches[0].length

    @property
    def n_bytes(self) -> int:
        return sum(cache.n_bytes for cache in self.caches)

    def fork(self) -> MixtureCache:
        return MixtureCache([cache.fork() for cache in self.caches])

    def first(self, n_tokens: int) -> MixtureCache:
        return MixtureCache([cache.first(n_tokens) for cache in self.caches])

    def rows(self, index_B: Tensor) -> MixtureCache:
        return MixtureCache([cache.rows(index_B) for cache in self.caches])

    def compact(self) -> MixtureCache:
        return MixtureCache([cache.compact() for cache in self.caches])


class MixtureNetwork(GPTModel):
    """Networks that stand in for one: its hidden states are theirs side by side, its logits the logarithm of the
    weighted mean of their probabilities. It has no layers, embedding or norm: asking for them raises a UserError."""

    def __init__(self, networks: Sequence[GPTModel], weights: Sequence[float]) -> None:
        nn.Module.__init__(self)
        self.facts = None
        self._networks = list(networks)
        self._in_eval_mode = nn.ModuleList(networks)  # so that `eval` and `parameters` reach them
        self._log_weights = [math.log(weight) for weight in weights]
        self._widths = [network.embedding.weight.shape[1] for network in networks]
        self.vocab_size = networks[0].vocab_size
        self.block_size = min(network.block_size for network in networks)

    def forward(self, x_BT: Tensor, cache: KVCache | None = None) -> Tensor:
        caches = cache.caches if isinstance(cache, MixtureCache) else [None] * len(self._networks)
        parts = [network(x_BT, own) for network, own in zip(self._networks, caches, strict=True)]
        if cache is not None:
            cache.length += x_BT.shape[1]
        return torch.cat(parts, dim=-1)

    def logits(self, h_BTD: Tensor) -> Tensor:
        parts = zip(self._networks, h_BTD.split(self._widths, dim=-1), self._log_weights, strict=True)
        return torch.stack([net.logits(h).float().log_softmax(-1) + log_v for net, h, log_v in parts]).logsumexp(0)

    def new_cache(self, batch_size: int) -> KVCache:
        return MixtureCache([network.new_cache(batch_size) for network in self._networks])

    def trace(self, x_BT: Tensor) -> Trace:
        raise UserError("an ensemble has no layers of its own; look inside one of its members")

    def __getattr__(self, name: str) -> Any:
        return self.trace(torch.empty(0)) if name in ("embedding", "norm") else super().__getattr__(name)
