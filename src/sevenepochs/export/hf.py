"""`--to hf`: a folder that transformers loads as GPT-2, the same function under other names, without custom code.

GPT-2 expresses stock-shaped models: learned positions, LayerNorm, biases, exact GELU, pre-norm residuals, tied head.
Anything else goes to ONNX (onnx.py).
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from sevenepochs.ask.model import Model
from sevenepochs.data.tokenizer.base import PAD, UNK, Tokenizer
from sevenepochs.errors import UserError
from sevenepochs.export.card import model_card
from sevenepochs.export.folder import Exported, new_folder, quiet, require
from sevenepochs.export.probe import check_logits
from sevenepochs.model.attention import Causal
from sevenepochs.model.gpt import GPT
from sevenepochs.model.head import Tied
from sevenepochs.model.mlp import Gelu
from sevenepochs.model.norm import LayerNorm
from sevenepochs.model.position import Learned
from sevenepochs.model.residual import PreNorm
from sevenepochs.model.weights import model_tensors
from sevenepochs.protocol.budget import EOS

if TYPE_CHECKING:
    from transformers import GPT2LMHeadModel

_USAGE = """```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("FOLDER")
model = AutoModelForCausalLM.from_pretrained("FOLDER")
ids = tokenizer("<eos>Show HN:", return_tensors="pt")
print(tokenizer.decode(model.generate(**ids)[0]))
```
"""
_OUTER = {"embedding.weight": "wte.weight", "position.weight_TD": "wpe.weight", "norm": "ln_f"}
_BLOCK = {
    "attention_norm": "ln_1",
    "attention.qkv": "attn.c_attn",
    "attention.out": "attn.c_proj",
    "mlp_norm": "ln_2",
    "mlp.up": "mlp.c_fc",
    "mlp.down": "mlp.c_proj",
}
# transformers' roles; a title follows the <eos> of the one before it, so <eos> also opens a text
_ROLES = {"bos_token": EOS, "eos_token": EOS, "unk_token": UNK, "pad_token": PAD}


def export_hf(model: Model, out: Path) -> Exported:
    """Write config, weights (safetensors), tokenizer, generation config, model card; check the loaded model's logits.

    Raises:
        UserError: the model is not GPT-2-shaped, transformers is not installed, `out` is taken or cannot be written,
            or the exported logits differ from ours.
    """
    other = not_gpt2(model.experiment.model)
    if other:
        raise UserError(f"--to hf writes GPT-2, which has no such {', '.join(other)} as this model; use --to onnx")
    require("transformers")
    from transformers import GenerationConfig

    with _no_bars(), quiet(), new_folder(out) as folder:
        exported = to_gpt2(model)
        # sampled: the likeliest continuation of a headline says little about the model
        ids, most = _special_ids(model.tokenizer), model.block_size
        exported.generation_config = GenerationConfig(do_sample=True, max_length=most, **ids)
        exported.save_pretrained(folder)
        (folder / "model.safetensors").chmod((folder / "config.json").stat().st_mode)  # it comes readable by us alone
        (folder / "tokenizer.json").write_bytes(model.tokenizer.json.encode())
        config = json.dumps(_tokenizer_config(model), indent=2)
        (folder / "tokenizer_config.json").write_text(config + "\n", encoding="utf-8")
        loaded: Any = type(exported).from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval()
        difference = check_logits(
            model.network, model.eos_id, lambda x_BT: loaded(input_ids=x_BT).logits, "the transformers folder"
        )
        facts = Exported(out, "transformers, GPT-2", difference)
        (folder / "README.md").write_text(model_card(model, facts, _USAGE), encoding="utf-8")
    return facts


def not_gpt2(config: GPT) -> list[str]:
    """Return the slots and settings that GPT-2 cannot express, e.g. ["norm"]; rates, widths and eps may vary."""
    same = GPT(
        n_layer=config.n_layer,
        n_head=config.n_head,
        d_model=config.d_model,
        embedding_dropout=config.embedding_dropout,
        attention=Causal(dropout=getattr(config.attention, "dropout", 0.0)),
        position=Learned(),
        norm=LayerNorm(eps=getattr(config.norm, "eps", 1e-5)),
        mlp=Gelu(expansion=getattr(config.mlp, "expansion", 4)),
        residual=PreNorm(dropout=getattr(config.residual, "dropout", 0.0)),
        head=Tied(),
    )
    # An embedding in parts is a table by now (`reading_tensors`), and trained weights keep no trace of their init.
    theirs = dataclasses.replace(same, init=config.init, embedding=config.embedding)
    names = [field.name for field in dataclasses.fields(config)]
    return [name for name in names if getattr(config, name) != getattr(theirs, name)]


def to_gpt2(model: Model) -> GPT2LMHeadModel:
    """Return the trained weights in a GPT2LMHeadModel, in eval mode."""
    from transformers import GPT2Config, GPT2LMHeadModel

    c = model.experiment.model
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
        **_special_ids(model.tokenizer),
    )
    gpt2 = GPT2LMHeadModel(config)
    state = {_name(name): _layout(name, array) for name, array in model_tensors(model.network).items()}
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


def _layout(ours: str, array: np.ndarray) -> Tensor:
    """GPT-2 keeps its products as Conv1D, inputs by outputs: the transpose of ours."""
    is_product = ours.startswith("blocks.") and array.ndim == 2
    return torch.from_numpy(np.ascontiguousarray(array.T if is_product else array))


def _tokenizer_config(model: Model) -> dict[str, Any]:
    """tokenizer_config.json, with transformers' generic class, which takes tokenizer.json as it stands."""
    special = _special(model.tokenizer)
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": model.block_size,
        "clean_up_tokenization_spaces": False,
        "model_input_names": ["input_ids", "attention_mask"],  # no token types: GPT-2 would add a vector for them
        **{role: token for role, token in _ROLES.items() if token in special},
    }


def _special_ids(tokenizer: Tokenizer) -> dict[str, int]:
    special = _special(tokenizer)
    return {f"{role}_id": special[token] for role, token in _ROLES.items() if token in special and token != UNK}


def _special(tokenizer: Tokenizer) -> dict[str, int]:
    return {token["content"]: token["id"] for token in json.loads(tokenizer.json).get("added_tokens") or []}


@contextmanager
def _no_bars() -> Iterator[None]:
    from transformers.utils import logging as hf_logging

    bars = hf_logging.is_progress_bar_enabled()
    hf_logging.disable_progress_bar()
    try:
        yield
    finally:
        if bars:
            hf_logging.enable_progress_bar()
