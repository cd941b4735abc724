"""litgpt's GPT (its own environment: it wants older companions than we do)."""

from __future__ import annotations

import torch.nn.functional as F
from litgpt.config import Config
from litgpt.model import GPT
from shape import Shape
from torch import Tensor

from peers.usual import Step, usual_step

NOTE = "rotary positions instead of learned ones; it has no dropout, so it does less work"


def make_step(shape: Shape) -> Step:
    config = Config(
        block_size=shape.block_size,
        vocab_size=shape.vocab_size,
        padded_vocab_size=shape.vocab_size,
        n_layer=shape.n_layer,
        n_head=shape.n_head,
        n_embd=shape.d_model,
        rotary_percentage=1.0,
        parallel_residual=False,
        bias=True,
        norm_class_name="LayerNorm",
        mlp_class_name="GptNeoxMLP",
        intermediate_size=4 * shape.d_model,
    )
    model = GPT(config)
    model.apply(model._init_weights)
    model.lm_head.weight = model.transformer.wte.weight  # tied, as in the others
    model.to(shape.device)

    def loss_of(x_BT: Tensor, y_BT: Tensor) -> Tensor:
        logits_BTV = model(x_BT)
        return F.cross_entropy(logits_BTV.flatten(0, 1).float(), y_BT.flatten())

    return usual_step(model, loss_of, shape, NOTE)
