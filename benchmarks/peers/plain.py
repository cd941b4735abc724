"""A plain GPT-2 step in torch alone, as one writes it in an afternoon: fused attention, tied head, one optimizer.

B batch, T position, D model, H heads, K head dimension, V vocabulary.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from shape import Shape
from torch import Tensor, nn

from peers.usual import Step, usual_step

NOTE = "torch only, SDPA attention, dropout on"


class Block(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        d_model = shape.d_model
        self.n_head, self.rate = shape.n_head, shape.dropout
        self.norm_1, self.norm_2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.qkv, self.out = nn.Linear(d_model, 3 * d_model), nn.Linear(d_model, d_model)
        self.up, self.down = nn.Linear(d_model, 4 * d_model), nn.Linear(4 * d_model, d_model)

    def forward(self, h_BTD: Tensor) -> Tensor:
        B, T, D = h_BTD.shape
        q, k, v = (p.view(B, T, self.n_head, -1).transpose(1, 2) for p in self.qkv(self.norm_1(h_BTD)).split(D, -1))
        y_BHTK = F.scaled_dot_product_attention(q, k, v, is_causal=True, dropout_p=self.rate if self.training else 0.0)
        h_BTD = h_BTD + F.dropout(self.out(y_BHTK.transpose(1, 2).reshape(B, T, D)), self.rate, self.training)
        return h_BTD + F.dropout(self.down(F.gelu(self.up(self.norm_2(h_BTD)))), self.rate, self.training)


class Plain(nn.Module):
    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.rate = shape.dropout
        self.tokens = nn.Embedding(shape.vocab_size, shape.d_model)
        self.positions = nn.Embedding(shape.block_size, shape.d_model)
        self.blocks = nn.ModuleList(Block(shape) for _ in range(shape.n_layer))
        self.norm = nn.LayerNorm(shape.d_model)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, x_BT: Tensor) -> Tensor:
        places_T = torch.arange(x_BT.shape[1], device=x_BT.device)
        h_BTD = F.dropout(self.tokens(x_BT) + self.positions(places_T), self.rate, self.training)
        for block in self.blocks:
            h_BTD = block(h_BTD)
        return F.linear(self.norm(h_BTD), self.tokens.weight)


def make_step(shape: Shape) -> Step:
    model = Plain(shape).to(shape.device)

    def loss_of(x_BT: Tensor, y_BT: Tensor) -> Tensor:
        return F.cross_entropy(model(x_BT).flatten(0, 1).float(), y_BT.flatten())

    return usual_step(model, loss_of, shape, NOTE)
