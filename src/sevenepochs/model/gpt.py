"""The model: embed tokens, run the blocks, normalise, project to logits. Every part is a slot with a config.

B batch, T position in the row, D model, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from sevenepochs.config import LEFT_OUT_AS_NONE, Config, check_range
from sevenepochs.errors import UserError
from sevenepochs.model.attention import AttentionConfig, Causal
from sevenepochs.model.context import Context, KVCache, Trace
from sevenepochs.model.dropout import Dropout, check_rate
from sevenepochs.model.embedding import EmbeddingConfig, Table
from sevenepochs.model.facts import Facts
from sevenepochs.model.hardware import check_memory, is_out_of_memory
from sevenepochs.model.head import HeadConfig, LinearHead, Tied
from sevenepochs.model.init import InitConfig, Normal
from sevenepochs.model.mlp import Gelu, MLPConfig
from sevenepochs.model.norm import LayerNorm, NormConfig
from sevenepochs.model.position import Learned, PositionConfig
from sevenepochs.model.residual import PreNorm, ResidualConfig
from sevenepochs.model.skip import SkipConfig
from sevenepochs.model.titles import Titles


@dataclass(frozen=True)
class GPT(Config, kind="gpt"):
    """Slot `model`. The defaults are the stock model: 27,172,864 parameters with 16,000 tokens and rows of 128.

    Attributes:
        embedding_dropout: on the sum of token and position vectors.
        output_dropout: on the head's input (Merity et al. 2018, arXiv:1708.02182).
        titles: None, as stock: the model reads a row as one text, `<eos>` included.
        skip: None, as stock: no short cuts past blocks.
        facts: None, as stock: the model reads titles alone.
    """

    n_layer: int = 6
    n_head: int = 8
    d_model: int = 512
    embedding_dropout: float = 0.1
    output_dropout: float = 0.0
    embedding: EmbeddingConfig = field(default_factory=Table)
    attention: AttentionConfig = field(default_factory=Causal)
    position: PositionConfig = field(default_factory=Learned)
    norm: NormConfig = field(default_factory=LayerNorm)
    mlp: MLPConfig = field(default_factory=Gelu)
    residual: ResidualConfig = field(default_factory=PreNorm)
    head: HeadConfig = field(default_factory=Tied)
    init: InitConfig = field(default_factory=Normal)
    titles: Titles | None = None
    skip: SkipConfig | None = None
    facts: Facts | None = field(default=None, metadata=LEFT_OUT_AS_NONE)

    def __post_init__(self) -> None:
        check_range("model.n_layer", self.n_layer, 1, 1000)
        check_range("model.n_head", self.n_head, 1, 1000)
        check_range("model.d_model", self.d_model, 1, 100_000)
        check_rate("model.embedding_dropout", self.embedding_dropout)
        check_rate("model.output_dropout", self.output_dropout)
        if self.d_model % self.n_head:
            raise UserError(f"model.d_model = {self.d_model} is not a multiple of model.n_head = {self.n_head}")

    def build(self, vocab_size: int, block_size: int, seed: int, texts: Sequence[str] | None = None) -> GPTModel:
        """Return a freshly initialised model on the CPU.

        Args:
            block_size: length of the longest row, in tokens.
            texts: of all tokens, for an embedding that reads them.

        Raises:
            UserError: this machine's memory cannot hold the model.
        """
        check_memory(  # at least: the embedding, and attention's four matrices
            4 * (vocab_size * self.d_model + 4 * self.n_layer * self.d_model**2),
            f"model.d_model = {self.d_model} with model.n_layer = {self.n_layer} has",
            "of weights",
            "make them smaller",
        )
        try:
            model = GPTModel(self, vocab_size, block_size, texts)
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise UserError("this machine's memory cannot hold the model; make its slots' widths smaller") from None
        self.init.apply(model, seed)
        return model


class Block(nn.Module):
    """One layer: attention, then the MLP, each on the normalised stream and joined to it by the residual slot."""

    def __init__(self, config: GPT, block_size: int) -> None:
        super().__init__()
        # This order numbers the parameters in checkpoints, and sums their gradients' norm: a residual's scale is first.
        self.attention_residual = config.residual.build(config.d_model)
        self.attention_norm = config.norm.build(config.d_model)
        self.attention = config.attention.build(config.d_model, config.n_head, block_size)
        self.mlp_residual = config.residual.build(config.d_model)
        self.mlp_norm = config.norm.build(config.d_model)
        self.mlp = config.mlp.build(config.d_model)

    def forward(self, x_BTD: Tensor, context: Context) -> Tensor:
        x_BTD = self.attention_residual(x_BTD, self.attention(self.attention_norm(x_BTD), context))
        return self.mlp_residual(x_BTD, self.mlp(self.mlp_norm(x_BTD), context))

    def in_pass_order(self) -> tuple[nn.Module, ...]:
        """Return the children in the order of a forward pass, which numbers the dropout sites (model/dropout.py)."""
        return self.attention_norm, self.attention, self.attention_residual, self.mlp_norm, self.mlp, self.mlp_residual


class GPTModel(nn.Module):
    """The network: `forward` returns hidden states, `logits` projects them. Rows have up to `block_size` tokens."""

    def __init__(self, config: GPT, vocab_size: int, block_size: int, texts: Sequence[str] | None = None) -> None:
        super().__init__()
        self.vocab_size = vocab_size
        self.block_size = block_size
        self.titles = config.titles
        self.embedding = config.embedding.build(vocab_size, config.d_model, texts)
        self.position = config.position.build(block_size, config.d_model)
        self.dropout = Dropout(config.embedding_dropout)
        self.blocks = nn.ModuleList(Block(config, block_size) for _ in range(config.n_layer))
        self.norm = config.norm.build(config.d_model)
        self.head = config.head.build(self.embedding)
        self.skip = config.skip.build(config.n_layer, config.d_model) if config.skip else None
        self.output_dropout = Dropout(config.output_dropout) if config.output_dropout else nn.Identity()
        self.facts = config.facts.build(vocab_size, config.d_model) if config.facts else None

    def forward(self, x_BT: Tensor, cache: KVCache | None = None) -> Tensor:
        """Return the normalised hidden states h_BTD of token ids. With the slot `facts`, an `<eos>` may carry facts of
        the title that it opens (data/facts.py).

        With `cache` (from `new_cache`) the ids continue its rows: earlier tokens are attended to and not computed
        again, and `cache` is extended by these tokens.

        Raises:
            ValueError: with `cache`, the rows become longer than `block_size`, or differ in number from the cache's.
        """
        if cache is not None:
            self._check_continues(x_BT, cache)
        return self._run(x_BT, Context(cache=cache))

    def new_cache(self, batch_size: int) -> KVCache:
        """Return an empty cache for rows that are read in pieces, one `forward` per piece, in evaluation mode."""
        return KVCache(batch_size)

    def trace(self, x_BT: Tensor) -> Trace:
        """Return hidden states and attention weights of every layer, in evaluation mode and without gradients."""
        trace, was_training = Trace(), self.training
        self.eval()
        try:
            with torch.no_grad():
                self._run(x_BT, Context(trace=trace))
        finally:
            self.train(was_training)
        return trace

    def logits(self, h_BTD: Tensor) -> Tensor:
        """Return the logits_BTV of hidden states."""
        return self.head(h_BTD)

    def _run(self, x_BT: Tensor, context: Context) -> Tensor:
        told_BTD = None
        if self.facts is not None:
            x_BT, told_BTD = self.facts(x_BT)
        if self.titles is not None:
            self.titles.enter(context.remember("ids", x_BT, dim=-1), context)
        h_BTD = self.embedding(x_BT)
        if told_BTD is not None:
            h_BTD = h_BTD + told_BTD
        h_BTD = self.dropout(self.position(h_BTD, context))
        _note(h_BTD, context)
        for layer, block in enumerate(self.blocks):
            context.layer = layer
            if self.skip is not None:
                h_BTD = self.skip(h_BTD, context)
            h_BTD = block(h_BTD, context)
            _note(h_BTD, context)
        if context.cache is not None:
            context.cache.length += x_BT.shape[1]
        return self.output_dropout(self.norm(h_BTD))

    def _check_continues(self, x_BT: Tensor, cache: KVCache) -> None:
        assert not self.training, "a cache is for evaluation: its keys would be those of other dropout masks"
        B, T = x_BT.shape
        if cache.batch_size != B:
            raise ValueError(f"this cache is for {cache.batch_size} rows, not {B}")
        if cache.length + T > self.block_size:
            raise ValueError(
                f"{cache.length} tokens read and {T} more are beyond this model's rows of {self.block_size}; "
                "begin a new cache with the last tokens"
            )


def _note(h_BTD: Tensor, context: Context) -> None:
    if context.trace is not None:
        context.trace.hidden_BTD.append(h_BTD.float())


def n_parameters(model: nn.Module) -> int:
    """Return the number of trainable parameters, tied weights counted once."""
    return sum(p.numel() for p in model.parameters() if p.requires_grad)


def n_matmul_parameters(model: GPTModel) -> int:
    """Return the number of parameters that multiply every token's activations: Linear weights and the head's matrix."""
    matrices = [module.weight for module in model.modules() if isinstance(module, nn.Linear)]
    if isinstance(model.head, LinearHead):
        matrices.append(model.head.weight_VD)
    return sum(matrix.numel() for matrix in {id(matrix): matrix for matrix in matrices}.values())
