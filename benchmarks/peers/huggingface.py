"""Hugging Face transformers: GPT2LMHeadModel, the model most people would take."""

from __future__ import annotations

from shape import Shape
from torch import Tensor
from transformers import GPT2Config, GPT2LMHeadModel

from peers.usual import Step, usual_step

NOTE = "GPT2LMHeadModel, its own loss, SDPA attention, dropout on"


def make_step(shape: Shape) -> Step:
    config = GPT2Config(
        vocab_size=shape.vocab_size,
        n_positions=shape.block_size,
        n_embd=shape.d_model,
        n_layer=shape.n_layer,
        n_head=shape.n_head,
        resid_pdrop=shape.dropout,
        embd_pdrop=shape.dropout,
        attn_pdrop=shape.dropout,
        use_cache=False,
    )
    model = GPT2LMHeadModel(config).to(shape.device)

    def loss_of(x_BT: Tensor, y_BT: Tensor) -> Tensor:
        # shift_labels: the targets are already the next tokens
        return model(input_ids=x_BT, labels=y_BT, shift_labels=y_BT).loss

    return usual_step(model, loss_of, shape, NOTE)
