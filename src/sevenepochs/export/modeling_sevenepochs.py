"""A GPT trained by sevenepochs, for transformers: AutoModelForCausalLM.from_pretrained(FOLDER, trust_remote_code=True).

This file stands beside the weights and needs torch and transformers only. `config.model` is the run's own model config:
each slot (position, norm, attention, mlp, residual, head) names what it holds by `kind`, and SLOTS below builds it;
an unknown kind is refused. Tensors keep the names that they have in the run's model.safetensors.

B batch, T position in the row, S attended position, D model, H heads, K head dimension, V vocabulary.
"""

import functools
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers import GenerationMixin, PretrainedConfig, PreTrainedModel
from transformers.modeling_outputs import CausalLMOutput


class SevenEpochsConfig(PretrainedConfig):
    """`block_size`: the longest row. `model`: the slots, as the run's config.json has them."""

    model_type = "sevenepochs"

    def __init__(
        self, vocab_size: int = 0, block_size: int = 0, model: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        self.vocab_size = vocab_size
        self.block_size = block_size
        self.model = model or {}
        # what transformers' own tools look for
        self.hidden_size = self.model.get("d_model", 0)
        self.num_hidden_layers = self.model.get("n_layer", 0)
        self.num_attention_heads = self.model.get("n_head", 1)
        kwargs["tie_word_embeddings"] = False  # the head reads the embedding itself; there is no second tensor to tie
        kwargs["use_cache"] = False
        super().__init__(**kwargs)


class LearnedPositions(nn.Module):
    """A learned vector for each position, added to the token's."""

    def __init__(self, block_size: int, d_model: int) -> None:
        super().__init__()
        self.weight_TD = nn.Parameter(torch.zeros(block_size, d_model))

    def forward(self, x_BTD: Tensor, positions_BT: Tensor) -> Tensor:
        return x_BTD + self.weight_TD[positions_BT]


class NoPositions(nn.Module):
    """Nothing is added at the input."""

    def forward(self, x_BTD: Tensor, positions_BT: Tensor) -> Tensor:
        return x_BTD


class RootMeanSquareNorm(nn.Module):
    """Divide by the root mean square, times a gain (arXiv:1910.07467)."""

    def __init__(self, d_model: int, eps: float) -> None:
        super().__init__()
        self.weight_D = nn.Parameter(torch.ones(d_model))
        self.eps = eps

    def forward(self, x_BTD: Tensor) -> Tensor:
        x_BTD = x_BTD.float()
        return x_BTD * torch.rsqrt(x_BTD.square().mean(-1, keepdim=True) + self.eps) * self.weight_D


@functools.cache
def rotation_table(block_size: int, head_dim: int, base: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines of every position's angles, (block_size, head_dim), made in fp64 on the CPU."""
    frequencies = base ** (-torch.arange(0, head_dim, 2, dtype=torch.float64, device="cpu") / head_dim)
    angles = torch.arange(block_size, dtype=torch.float64, device="cpu")[:, None] * frequencies
    angles = torch.cat((angles, angles), dim=-1)
    return angles.cos().float(), angles.sin().float()


def rotate(x_BHTK: Tensor, cos_B1TK: Tensor, sin_B1TK: Tensor) -> Tensor:
    """Rotary positions, halves rotated (arXiv:2104.09864)."""
    first, second = x_BHTK.float().chunk(2, dim=-1)
    rotated = x_BHTK.float() * cos_B1TK + torch.cat((-second, first), dim=-1) * sin_B1TK
    return rotated.to(x_BHTK.dtype)


class CausalAttention(nn.Module):
    """Multi-head causal self-attention, with rotary positions where `rotary_base` is given."""

    def __init__(
        self, d_model: int, n_head: int, block_size: int, dropout: float, bias: bool, rotary_base: float | None
    ) -> None:
        super().__init__()
        self.n_head = n_head
        self.block_size = block_size
        self.dropout = dropout
        self.rotary_base = rotary_base
        self.qkv = nn.Linear(d_model, 3 * d_model, bias=bias)
        self.out = nn.Linear(d_model, d_model, bias=bias)

    def forward(self, x_BTD: Tensor, positions_BT: Tensor, mask_B1TS: Tensor | None) -> Tensor:
        B, T, D = x_BTD.shape
        q_BHTK, k_BHTK, v_BHTK = (
            part.view(B, T, self.n_head, -1).transpose(1, 2) for part in self.qkv(x_BTD).chunk(3, dim=-1)
        )
        if self.rotary_base is not None:
            tables = rotation_table(self.block_size, D // self.n_head, self.rotary_base)
            cos_B1TK, sin_B1TK = (table.to(x_BTD.device)[positions_BT].unsqueeze(1) for table in tables)
            q_BHTK, k_BHTK = rotate(q_BHTK, cos_B1TK, sin_B1TK), rotate(k_BHTK, cos_B1TK, sin_B1TK)
        y_BHTK = F.scaled_dot_product_attention(
            q_BHTK,
            k_BHTK,
            v_BHTK,
            attn_mask=mask_B1TS,
            is_causal=mask_B1TS is None,
            dropout_p=self.dropout if self.training else 0.0,
        )
        return self.out(y_BHTK.transpose(1, 2).reshape(B, T, D))


class PreNormResidual(nn.Module):
    """x + dropout(branch(norm(x)))."""

    def __init__(self, norm: nn.Module, branch: nn.Module, dropout: float) -> None:
        super().__init__()
        self.norm = norm
        self.branch = branch
        self.dropout = nn.Dropout(dropout)

    def forward(self, x_BTD: Tensor, *context: Any) -> Tensor:
        return x_BTD + self.dropout(self.branch(self.norm(x_BTD), *context))


def _learned(slot: dict[str, Any], config: SevenEpochsConfig) -> nn.Module:
    return LearnedPositions(config.block_size, config.model["d_model"])


def _no_positions(slot: dict[str, Any], config: SevenEpochsConfig) -> nn.Module:
    return NoPositions()


def _layer_norm(slot: dict[str, Any], config: SevenEpochsConfig) -> nn.Module:
    return nn.LayerNorm(config.model["d_model"], eps=slot["eps"])


def _rms_norm(slot: dict[str, Any], config: SevenEpochsConfig) -> nn.Module:
    return RootMeanSquareNorm(config.model["d_model"], slot["eps"])


def _causal(slot: dict[str, Any], config: SevenEpochsConfig) -> nn.Module:
    rotary = slot["rotary"]
    if rotary is not None and rotary["kind"] != "rope":
        raise ValueError(f"unknown rotation {rotary['kind']!r}")
    base = None if rotary is None else rotary["base"]
    shape = config.model["d_model"], config.model["n_head"], config.block_size
    return CausalAttention(*shape, slot["dropout"], slot["bias"], base)


def _gelu(slot: dict[str, Any], config: SevenEpochsConfig) -> nn.Module:
    d_model, hidden = config.model["d_model"], slot["expansion"] * config.model["d_model"]
    return nn.Sequential(
        nn.Linear(d_model, hidden, bias=slot["bias"]), nn.GELU(), nn.Linear(hidden, d_model, bias=slot["bias"])
    )


# kind -> the function that builds it
SLOTS = {
    "learned": _learned,
    "none": _no_positions,
    "layer_norm": _layer_norm,
    "rms_norm": _rms_norm,
    "causal": _causal,
    "gelu": _gelu,
}

# Every kind that this file understands, with the settings that it reads: the exporter refuses all others.
FIELDS: dict[str, set[str]] = {
    "gpt": {
        *("n_layer", "n_head", "d_model", "embedding_dropout", "output_dropout"),
        *("attention", "position", "norm", "mlp", "residual", "head"),
    },
    "learned": set(),
    "none": set(),
    "rope": {"base"},
    "layer_norm": {"eps"},
    "rms_norm": {"eps"},
    "causal": {"dropout", "bias", "rotary"},
    "gelu": {"expansion", "bias"},
    "pre_norm": {"dropout"},
    "tied": set(),
}


class SevenEpochsForCausalLM(PreTrainedModel, GenerationMixin):
    """Ids to logits; the head is the embedding itself. Without a cache: rows are at most `block_size` long."""

    config_class = SevenEpochsConfig
    _supports_sdpa = True

    def __init__(self, config: SevenEpochsConfig) -> None:
        super().__init__(config)
        model = config.model
        self.embedding = nn.Embedding(config.vocab_size, model["d_model"])
        self.position = self._slot("position")
        self.dropout = nn.Dropout(model["embedding_dropout"])
        self.blocks = nn.ModuleList(
            nn.ModuleList(
                PreNormResidual(self._slot("norm"), self._slot(branch), model["residual"]["dropout"])
                for branch in ("attention", "mlp")
            )
            for _ in range(model["n_layer"])
        )
        self.norm = self._slot("norm")
        self.output_dropout = nn.Dropout(model["output_dropout"])
        self.post_init()

    def _slot(self, name: str) -> nn.Module:
        slot = self.config.model[name]
        if slot["kind"] not in SLOTS:
            raise ValueError(f"slot {name} holds {slot['kind']!r}, which this file does not know")
        return SLOTS[slot["kind"]](slot, self.config)

    def get_input_embeddings(self) -> nn.Module:
        return self.embedding

    def forward(
        self,
        input_ids: Tensor,
        attention_mask: Tensor | None = None,
        position_ids: Tensor | None = None,
        labels: Tensor | None = None,
        **kwargs: Any,
    ) -> CausalLMOutput:
        """logits (B, T, V), and the mean next-token loss when `labels` are given (-100: not scored).

        `attention_mask` (B, T) has 0 for padding, on either side; positions then count real tokens only.
        """
        B, T = input_ids.shape
        if self.config.block_size < T:
            raise ValueError(f"rows of at most {self.config.block_size} tokens, not {T}; shorten the text")
        mask_B1TS = None
        if attention_mask is not None:
            real_BS = attention_mask.bool()
            causal_TS = torch.ones(T, T, dtype=torch.bool, device=input_ids.device).tril()
            own_TS = torch.eye(T, dtype=torch.bool, device=input_ids.device)  # padding sees itself, so no row is empty
            mask_B1TS = ((causal_TS & real_BS[:, None, :]) | own_TS)[:, None]
            if position_ids is None:
                position_ids = (real_BS.long().cumsum(-1) - 1).clamp(min=0)
        if position_ids is None:
            position_ids = torch.arange(T, device=input_ids.device).expand(B, T)
        h_BTD = self.dropout(self.position(self.embedding(input_ids), position_ids))
        for block in self.blocks:
            attention, mlp = block.children()
            h_BTD = mlp(attention(h_BTD, position_ids, mask_B1TS))
        logits_BTV = F.linear(self.output_dropout(self.norm(h_BTD)), self.embedding.weight)
        loss = None
        if labels is not None:
            loss = F.cross_entropy(logits_BTV[:, :-1].flatten(0, 1).float(), labels[:, 1:].flatten())
        return CausalLMOutput(loss=loss, logits=logits_BTV)

    def prepare_inputs_for_generation(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        """The whole row each time: there is no cache."""
        return {"input_ids": input_ids, "attention_mask": attention_mask}
