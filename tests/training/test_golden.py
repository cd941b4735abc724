"""The first losses of the story's recipes, written down: a change of numerics does not slip in with a refactoring."""

import pytest

from sevenepochs.data.corpus.base import Corpus
from sevenepochs.data.corpus.sample import SampleCorpus
from sevenepochs.recipes.catalog import load_recipe
from sevenepochs.training.hooks import Watcher
from sevenepochs.training.trainer import run_training

WHEN = """
The first losses of {} moved: {}
It is right to write down new ones only when the change is meant to move numerics (initialisation, batches, dropout,
model, objective, optimizer, schedule): say so in docs/log with n, mean and standard deviation before and after, and
run the published recipes again. If it was a refactoring, it has a bug.
"""
# training loss of steps 1..5 in nats per token, then the exact validation loss after step 1 in nats per character
GOLDEN = {
    "baseline": [5.071611, 5.054450, 5.016934, 5.049002, 4.957880, 1.092880],
    "adamw": [5.071611, 4.503560, 4.057510, 3.932531, 3.696744, 0.941362],
    "rope": [5.185421, 4.444696, 4.038017, 3.897928, 3.717290, 0.971544],
}
TITLES = [f"{verb} {noun} {year}" for year in range(2005, 2025) for verb in ("Show HN: my", "Why", "A new")
          for noun in ("compiler", "editor that talks", "“naïve” database", "kernel")]  # fmt: skip


class Records(Watcher):
    def __init__(self):
        self.losses, self.exact = [], []

    def stepped(self, progress):
        self.losses.append(progress.train_loss_nats_per_token)

    def evaluated(self, step, figures):
        self.exact.append(figures["exact_val_loss"])


@pytest.mark.parametrize("name", ["baseline", "adamw", "rope"])
def test_the_first_losses(name, shrink, tmp_path, monkeypatch):
    monkeypatch.setattr(SampleCorpus, "load", lambda self, announce: Corpus("golden", TITLES, {}))
    watcher = Records()
    # a large rate and large weights, so that five steps show what every part does
    experiment = shrink(load_recipe(name)).replace_all({"optimizer.lr": 0.02, "model.init.std": 0.2})
    run_training(experiment.replace("training.epochs", 1), name, tmp_path, watcher)
    got = [*watcher.losses[:5], watcher.exact[0]]
    assert got == pytest.approx(GOLDEN[name], abs=1e-4), WHEN.format(name, got)
