"""Stock-shaped models as transformers' GPT-2: the same function under other names, so no custom code is needed.

Stock-shaped: learned positions, LayerNorm, biases, exact GELU, pre-norm residuals, tied head. Anything else goes to
ONNX.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import numpy as np
import torch

from sevenepochs.export.tokenizer_files import special_ids
from sevenepochs.model.attention import Causal
from sevenepochs.model.gpt import GPT
from sevenepochs.model.head import Tied
from sevenepochs.model.mlp import Gelu
from sevenepochs.model.norm import LayerNorm
from sevenepochs.model.position import Learned
from sevenepochs.model.residual import PreNorm
from sevenepochs.model.weights import model_tensors

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel

    from sevenepochs.ask.model import Model

_OUTER = {"embedding.weight": "wte.weight", "position.weight_TD": "wpe.weight", "norm": "ln_f"}
_BLOCK = {
    "0.norm": "ln_1",
    "0.branch.qkv": "attn.c_attn",
    "0.branch.out": "attn.c_proj",
    "1.norm": "ln_2",
    "1.branch.0": "mlp.c_fc",
    "1.branch.2": "mlp.c_proj",
}


def not_gpt2(model: GPT) -> list[str]:
    """Return the slots and settings that GPT-2 cannot express, e.g. ["norm"]; rates, widths and eps may vary."""
    same = GPT(
        n_layer=model.n_layer,
        n_head=model.n_head,
        d_model=model.d_model,
        embedding_dropout=model.embedding_dropout,
        attention=Causal(dropout=getattr(model.attention, "dropout", 0.0)),
        position=Learned(),
        norm=LayerNorm(eps=getattr(model.norm, "eps", 1e-5)),
        mlp=Gelu(expansion=getattr(model.mlp, "expansion", 4)),
        residual=PreNorm(dropout=getattr(model.residual, "dropout", 0.0)),
        head=Tied(),
    )
    # An embedding in parts is a table by now (`reading_tensors`), and trained weights keep no trace of their init.
    theirs = dataclasses.replace(same, init=model.init, embedding=model.embedding)
    names = [field.name for field in dataclasses.fields(model)]
    return [name for name in names if getattr(model, name) != getattr(theirs, name)]


def to_gpt2(trained: Model) -> GPT2LMHeadModel:
    """The trained weights in a GPT2LMHeadModel, in eval mode."""
    from transformers import GPT2Config, GPT2LMHeadModel

    model, c = trained.network, trained.experiment.model
    assert not not_gpt2(c), "the caller asked first"
    assert isinstance(c.attention, Causal) and isinstance(c.residual, PreNorm)
    assert isinstance(c.norm, LayerNorm) and isinstance(c.mlp, Gelu)
    config = GPT2Config(
        vocab_size=model.vocab_size,
        n_positions=model.block_size,
        n_layer=c.n_layer,
        n_head=c.n_head,
        n_embd=c.d_model,
        n_inner=c.mlp.expansion * c.d_model,
        activation_function="gelu",  # the exact one, through erf; "gelu_new" is the tanh approximation
        layer_norm_epsilon=c.norm.eps,
        embd_pdrop=c.embedding_dropout,
        attn_pdrop=c.attention.dropout,
        resid_pdrop=c.residual.dropout,
        **special_ids(trained.tokenizer),
    )
    gpt2 = GPT2LMHeadModel(config)
    state = {_name(name): _layout(name, array) for name, array in model_tensors(model).items()}
    state["lm_head.weight"] = state["transformer.wte.weight"]
    gpt2.load_state_dict(state)
    return gpt2.eval()


def _name(ours: str) -> str:
    if ours in _OUTER:
        return f"transformer.{_OUTER[ours]}"
    module, _, kind = ours.rpartition(".")  # kind: weight or bias
    if module in _OUTER:
        return f"transformer.{_OUTER[module]}.{kind}"
    _, index, inside = module.split(".", 2)
    return f"transformer.h.{index}.{_BLOCK[inside]}.{kind}"


def _layout(ours: str, array: np.ndarray) -> torch.Tensor:
    """GPT-2 keeps its products as Conv1D, inputs by outputs: the transpose of ours."""
    is_product = ours.startswith("blocks.") and array.ndim == 2
    return torch.from_numpy(np.ascontiguousarray(array.T if is_product else array))
