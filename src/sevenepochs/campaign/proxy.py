"""The proxy: one transformation of an experiment that makes it about a fifteenth of the work, to choose by.

    titles    2/9 of the training titles to train on, the last 1/18 of them to choose by (20,000 and 5,000 of 90,000);
              the validation titles are never read
    width     half of d_model, and half of the heads, so that a head keeps its size
    batch     a quarter of the rows, so that a run has about as many steps as at full size (8/9 of them)

Everything else stays, learning rates too: a quarter of the batch asks AdamW for half the rate (square root), half the
width for twice the rate, and the two cancel. Whether the proxy ranks recipes as full size does is counted, not argued:
`sevenepochs ladder --check-proxy` shows the pairs on which they agree (docs/choosing.md).
"""

from __future__ import annotations

import dataclasses

from sevenepochs.data.corpus.development import Development
from sevenepochs.errors import UserError
from sevenepochs.experiment import Experiment
from sevenepochs.recipes.configs import proxy_sizes
from sevenepochs.store.run.layout import PROXY_SUFFIX


def at_proxy_scale(experiment: Experiment) -> Experiment:
    """Return the experiment at proxy scale. Raises UserError: it is at proxy scale already."""
    if isinstance(experiment.corpus, Development):
        raise UserError("the experiment is at proxy scale already")
    sizes = proxy_sizes(experiment.model.d_model, experiment.model.n_head, experiment.batches.batch_size)
    small = experiment.replace_all({"corpus": Development(of=experiment.corpus), **sizes})
    return small if small.recipe is None else dataclasses.replace(small, recipe=proxy_name(small.recipe))


def proxy_name(recipe: str) -> str:
    """Return the name of a recipe's runs at proxy scale, so that they are never taken for full ones."""
    return recipe + PROXY_SUFFIX
