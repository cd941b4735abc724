"""The story that the pages tell: the stock program, another optimizer, rotary positions."""

from sevenepochs.experiment import Experiment
from sevenepochs.learning.optim import AdamW
from sevenepochs.model.norm import RMSNorm
from sevenepochs.model.position import Rope


def baseline() -> Experiment:
    """Stock: GPT-2-style 6x512, BPE 16,000, SGD 6e-3 without momentum, cosine. All else is measured against it."""
    return Experiment()


def adamw() -> Experiment:
    """Baseline with AdamW 5e-4, betas .9/.95, no decay: a step size per parameter lets rare tokens learn."""
    return baseline().replace("optimizer", AdamW(lr=5e-4, beta1=0.9, beta2=0.95, weight_decay=0.0))


def rope() -> Experiment:
    """BPE 32,000, 4 layers x 4 heads, MLP x8, RMSNorm, RoPE beside learned positions, AdamW .9/.99 decay .1.

    One step of a public run with all its changes: short titles need little depth and gain from relative positions.
    """
    return adamw().replace_all(
        {
            "tokenizer.vocab_size": 32_000,
            "model.n_layer": 4,
            "model.n_head": 4,
            "model.mlp.expansion": 8,
            "model.norm": RMSNorm(),
            "model.attention.rotary": Rope(base=10_000.0),
            "optimizer": AdamW(lr=5e-4, beta1=0.9, beta2=0.99, weight_decay=0.1),
        }
    )
