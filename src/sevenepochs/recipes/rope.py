"""Story step two: rotary positions, RMSNorm, and a wider, shallower model over a larger vocabulary."""

from sevenepochs.experiment import Experiment
from sevenepochs.learning.optim.adamw import AdamW
from sevenepochs.model.norm.rms_norm import RMSNorm
from sevenepochs.model.position.rope import Rope
from sevenepochs.recipes.adamw import adamw


def rope() -> Experiment:
    """BPE 32,000, 4 layers x 4 heads, MLP x8, RMSNorm, RoPE beside learned positions, AdamW .9/.99 decay .1.

    Hypothesis: relative positions and larger heads help short titles; decay on all parameters holds the larger model.
    Reference: Su et al. 2021, arXiv:2104.09864; 1.2525 by the stock rule on the 2023 data (public run).
    Time: about 1.3 x the baseline; 37,452,288 parameters at 32,000 tokens.
    Command: sevenepochs train rope
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
