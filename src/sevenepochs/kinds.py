"""The short names under which configurations are kept on disk: a config's `kind`. No torch.

A class declares its own (`class AdamW(OptimizerConfig, kind="adamw")`). The table says in which file the class is, so
that a config.json is read without importing the whole package; a test compares the two. A file that moves changes its
lines of `KINDS`, nothing on disk.
"""

from __future__ import annotations

# slot (name of its base class) -> kind -> module:Class below sevenepochs; a slot that holds one class only has no line
KINDS: dict[str, dict[str, str]] = {
    "AttentionConfig": {
        "causal": "model.attention.causal:Causal",
    },
    "AveragingConfig": {
        "ema": "averaging.ema:EMA",
        "last": "averaging.last:LastWeights",
        "tail": "averaging.tail:Tail",
    },
    "BatchesConfig": {
        "shuffled_stream": "batches.shuffled_stream:ShuffledStream",
        "stream": "batches.stream:Stream",
        "title_rows": "batches.title_rows:TitleRows",
    },
    "CorpusConfig": {
        "development": "corpus.development:Development",
        "file": "corpus.file:FileCorpus",
        "hub": "corpus.hub:HubCorpus",
        "sample": "corpus.sample:SampleCorpus",
    },
    "EmbeddingConfig": {
        "letter_parts": "model.embedding.letter_parts:LetterParts",
        "others_letter_parts": "model.embedding.letter_parts:OthersLetterParts",
        "table": "model.embedding.table:Table",
        "word_parts": "model.embedding.word_parts:WordParts",
    },
    "HeadConfig": {
        "soft_cap": "model.head.soft_cap:SoftCap",
        "tied": "model.head.tied:Tied",
    },
    "InitConfig": {
        "normal": "model.init:Normal",
        "scaled_residual": "model.init.scaled:ScaledResidual",
    },
    "MLPConfig": {
        "gelu": "model.mlp.gelu:Gelu",
        "relu_squared": "model.mlp.relu_squared:ReluSquared",
        "swiglu": "model.mlp.swiglu:SwiGLU",
    },
    "NormConfig": {
        "layer_norm": "model.norm.layer_norm:LayerNorm",
        "rms_norm": "model.norm.rms_norm:RMSNorm",
    },
    "ObjectiveConfig": {
        "cross_entropy": "objective.cross_entropy:CrossEntropy",
        "r_drop": "objective.r_drop:RDrop",
    },
    "OptimizerConfig": {
        "adamw": "optim.adamw:AdamW",
        "muon": "optim.muon:Muon",
        "sgd": "optim.sgd:SGD",
    },
    "PositionConfig": {
        "learned": "model.position.learned:Learned",
        "none": "model.position.none:NoPosition",
    },
    "ResidualConfig": {
        "layer_scale": "model.residual.layer_scale:LayerScale",
        "pre_norm": "model.residual.pre_norm:PreNorm",
        "stochastic_depth": "model.residual.stochastic_depth:StochasticDepth",
    },
    "ScheduleConfig": {
        "cosine": "schedule.cosine:Cosine",
        "warmup_cosine": "schedule.warmup_cosine:WarmupCosine",
        "warmup_stable_decay": "schedule.warmup_stable_decay:WarmupStableDecay",
    },
    "SkipConfig": {
        "u_net": "model.skip.u_net:UNet",
        "x0": "model.skip.x0:X0",
    },
    "TokenizerConfig": {
        "bpe": "tokenizer.bpe:BPE",
        "unigram": "tokenizer.unigram:Unigram",
    },
}
