"""Configurations of earlier versions, in the present form. No torch.

Until 30 November 2026 a `kind` was module:Class. Older files lack settings that came later, and have settings that are
gone. `present_form` is used wherever a config is read; `python -m sevenepochs.store.run.convert` writes it to disk.
"""

from __future__ import annotations

from typing import Any

# By kind: values of settings that came later, for configs that were written before.
_LATER: dict[str, dict[str, Any]] = {
    "file": {"encoding": None},
    "experiment": {"averaging": {"kind": "last"}},
    "training": {"snapshots": False, "micro_batches": None, "checkpoint_seconds": 300.0},
    "gpt": {"embedding": {"kind": "table"}, "output_dropout": 0.0, "titles": None, "skip": None},
    "causal": {"value_residual": None, "gate": None},
    "gelu": {"dropout": 0.0},
}

# By kind: settings that are gone, with the value that means what the package does now. No other value can be read.
_GONE: dict[str, dict[str, Any]] = {
    "causal": {"qk_norm": None},
    "titles": {"eos": "opens", "mask": True, "restart_positions": False},
}

# Frozen: the modules are those of 30 November 2026.
OLD_KINDS = {
    "averaging.ema:EMA": "ema",
    "averaging.last:LastWeights": "last",
    "averaging.tail:Tail": "tail",
    "batches.shuffled_stream:ShuffledStream": "shuffled_stream",
    "batches.stream:Stream": "stream",
    "batches.title_rows:TitleRows": "title_rows",
    "corpus.development:Development": "development",
    "corpus.file:FileCorpus": "file",
    "corpus.hub:HubCorpus": "hub",
    "corpus.sample:SampleCorpus": "sample",
    "experiment:Experiment": "experiment",
    "model.attention.causal:Causal": "causal",
    "model.attention.output_gate:HeadGate": "head_gate",
    "model.attention.value_residual:ValueResidual": "value_residual",
    "model.embedding.letter_parts:LetterParts": "letter_parts",
    "model.embedding.letter_parts:OthersLetterParts": "others_letter_parts",
    "model.embedding.table:Table": "table",
    "model.embedding.word_parts:WordParts": "word_parts",
    "model.gpt:GPT": "gpt",
    "model.head.soft_cap:SoftCap": "soft_cap",
    "model.head.tied:Tied": "tied",
    "model.init.scaled:ScaledResidual": "scaled_residual",
    "model.init:Normal": "normal",
    "model.mlp.gelu:Gelu": "gelu",
    "model.mlp.relu_squared:ReluSquared": "relu_squared",
    "model.norm.layer_norm:LayerNorm": "layer_norm",
    "model.norm.rms_norm:RMSNorm": "rms_norm",
    "model.position.learned:Learned": "learned",
    "model.position.none:NoPosition": "none",
    "model.position.rope:Rope": "rope",
    "model.residual.layer_scale:LayerScale": "layer_scale",
    "model.residual.pre_norm:PreNorm": "pre_norm",
    "model.residual.stochastic_depth:StochasticDepth": "stochastic_depth",
    "model.skip.u_net:UNet": "u_net",
    "model.skip.x0:X0": "x0",
    "model.titles:Titles": "titles",
    "objective.cross_entropy:CrossEntropy": "cross_entropy",
    "objective.r_drop:RDrop": "r_drop",
    "optim.adamw:AdamW": "adamw",
    "optim.muon:Muon": "muon",
    "optim.sgd:SGD": "sgd",
    "schedule.cosine:Cosine": "cosine",
    "schedule.warmup_cosine:WarmupCosine": "warmup_cosine",
    "schedule.warmup_stable_decay:WarmupStableDecay": "warmup_stable_decay",
    "settings:Training": "training",
    "tokenizer.bpe:BPE": "bpe",
    "tokenizer.unigram:Unigram": "unigram",
}


def present_form(config: dict[str, Any]) -> dict[str, Any]:
    """Return a copy of a config as this version would have written it; a config in that form stays as it is."""
    kind = OLD_KINDS.get(str(config.get("kind")), config.get("kind"))
    gone = _GONE.get(str(kind), {}).items()
    inner = {
        key: present_form(value) if isinstance(value, dict) else value
        for key, value in config.items()
        if (key, value) not in gone
    }
    if kind is not None:
        inner["kind"] = kind
    return inner | {key: value for key, value in _LATER.get(str(kind), {}).items() if key not in inner}
