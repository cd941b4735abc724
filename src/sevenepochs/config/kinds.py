"""The short names of configuration classes on disk (`kind`), and the file of each class. No torch.

A class declares its kind (`class AdamW(OptimizerConfig, kind="adamw")`), and a test compares the table. With it a
config.json is read without importing the whole package, and a file can move without a change on disk.
"""

from __future__ import annotations

# slot (name of its base class) -> kind -> module:Class below sevenepochs; a slot for a single class has no line
KINDS: dict[str, dict[str, str]] = {
    "AttentionConfig": {"causal": "model.attention:Causal"},
    "AveragingConfig": {
        "ema": "learning.averaging:EMA",
        "last": "learning.averaging:LastWeights",
        "tail": "learning.averaging:Tail",
    },
    "BatchesConfig": {
        "shuffled_stream": "data.batches.stream:ShuffledStream",
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
        "table": "model.embedding:Table",
        "word_parts": "model.embedding.word_parts:WordParts",
    },
    "HeadConfig": {
        "soft_cap": "model.head:SoftCap",
        "tempered": "model.head:Tempered",
        "tied": "model.head:Tied",
    },
    "InitConfig": {"normal": "model.init:Normal", "scaled_residual": "model.init:ScaledResidual"},
    "MLPConfig": {"gelu": "model.mlp:Gelu", "relu_squared": "model.mlp:ReluSquared"},
    "NormConfig": {"layer_norm": "model.norm:LayerNorm", "rms_norm": "model.norm:RMSNorm"},
    "ObjectiveConfig": {
        "cross_entropy": "learning.objective:CrossEntropy",
        "late_r_drop": "learning.objective:LateRDrop",
        "r_drop": "learning.objective:RDrop",
    },
    "OptimizerConfig": {
        "adamw": "learning.optim:AdamW",
        "muon": "learning.optim.muon:Muon",
        "muon_firm_embedding": "learning.optim.muon:MuonFirmEmbedding",
        "sgd": "learning.optim:SGD",
    },
    "PositionConfig": {"learned": "model.position:Learned", "none": "model.position:NoPosition"},
    "ResidualConfig": {
        "layer_scale": "model.residual:LayerScale",
        "pre_norm": "model.residual:PreNorm",
        "stochastic_depth": "model.residual:StochasticDepth",
    },
    "ScheduleConfig": {
        "cosine": "learning.schedule:Cosine",
        "warmup_cosine": "learning.schedule:WarmupCosine",
        "warmup_stable_decay": "learning.schedule:WarmupStableDecay",
    },
    "SkipConfig": {"input_dropout": "model.skip:InputDropout", "u_net": "model.skip:UNet", "x0": "model.skip:X0"},
    "TokenizerConfig": {"bpe": "data.tokenizer.trained:BPE", "unigram": "data.tokenizer.trained:Unigram"},
}
