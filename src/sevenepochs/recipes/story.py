"""The story that the pages tell: the stock program, another optimizer, rotary positions."""

from sevenepochs.experiment import Experiment
from sevenepochs.learning.optim import AdamW
from sevenepochs.model.norm import RMSNorm
from sevenepochs.model.position import Rope


def baseline() -> Experiment:
    """Stock: GPT-2-style 6x512, BPE 16,000, SGD 6e-3 without momentum, cosine.

    Hypothesis: none; everything is measured against it. SGD at this rate barely moves the embeddings, so the model
    learns little more than token frequencies.
    Reference: the public challenge ("Mainrun"); 1.7533 by the stock rule on the 2023 data.
    Time: 4 s a step on 2 cores with AVX512-BF16.
    Command: sevenepochs train baseline
    """
    return Experiment()


def adamw() -> Experiment:
    """Baseline with AdamW 5e-4, betas .9/.95, no decay.

    Hypothesis: SGD is what holds the stock model back; per-parameter step sizes let rare tokens learn.
    Reference: Loshchilov & Hutter 2017, arXiv:1711.05101; 1.3239 by the stock rule on the 2023 data (public run).
    Time: as the baseline.
    Command: sevenepochs train adamw
    """
    return baseline().replace("optimizer", AdamW(lr=5e-4, beta1=0.9, beta2=0.95, weight_decay=0.0))


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
