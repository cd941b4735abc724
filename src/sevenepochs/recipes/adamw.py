"""Story step one: the optimizer."""

from sevenepochs.experiment import Experiment
from sevenepochs.learning.optim.adamw import AdamW
from sevenepochs.recipes.baseline import baseline


def adamw() -> Experiment:
    """Baseline with AdamW 5e-4, betas .9/.95, no decay.

    Hypothesis: SGD is what holds the stock model back; per-parameter step sizes let rare tokens learn.
    Reference: Loshchilov & Hutter 2017, arXiv:1711.05101; 1.3239 by the stock rule on the 2023 data (public run).
    Time: as the baseline.
    Command: sevenepochs train adamw
    """
    return baseline().replace("optimizer", AdamW(lr=5e-4, beta1=0.9, beta2=0.95, weight_decay=0.0))
