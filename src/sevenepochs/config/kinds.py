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
        "ema": "learning.averaging.ema:EMA",
        "last": "learning.averaging.last:LastWeights",
        "tail": "learning.averaging.tail:Tail",
    },
    "BatchesConfig": {
        "shuffled_stream": "data.batches.shuffled_stream:ShuffledStream",
        "stream": "data.batches.stream:Stream",
        "title_rows": "data.batches.title_rows:TitleRows",
    },
    "CorpusConfig": {
        "development": "data.corpus.development:Development",
        "file": "data.corpus.file:FileCorpus",
        "hub": "data.corpus.hub:HubCorpus",
        "sample": "data.corpus.sample:SampleCorpus",
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
        "cross_entropy": "learning.objective.cross_entropy:CrossEntropy",
        "r_drop": "learning.objective.r_drop:RDrop",
    },
    "OptimizerConfig": {
        "adamw": "learning.optim.adamw:AdamW",
        "muon": "learning.optim.muon:Muon",
        "sgd": "learning.optim.sgd:SGD",
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
        "cosine": "learning.schedule.cosine:Cosine",
        "warmup_cosine": "learning.schedule.warmup_cosine:WarmupCosine",
        "warmup_stable_decay": "learning.schedule.warmup_stable_decay:WarmupStableDecay",
    },
    "SkipConfig": {
        "u_net": "model.skip.u_net:UNet",
        "x0": "model.skip.x0:X0",
    },
    "TokenizerConfig": {
        "bpe": "data.tokenizer.bpe:BPE",
        "unigram": "data.tokenizer.unigram:Unigram",
    },
}
