"""Fixtures that several folders share: small experiments and a cache of their own. One torch thread, so that sums do
not depend on how many cores a machine has."""

import os
from collections.abc import Callable

import hypothesis
import pytest
import torch

from sevenepochs.data.corpus.sample import SampleCorpus
from sevenepochs.experiment import Experiment
from sevenepochs.recipes.adamw import adamw
from sevenepochs.store.run import Run
from sevenepochs.training.trainer import run_training

hypothesis.settings.register_profile("sevenepochs", deadline=None, print_blob=True)
hypothesis.settings.load_profile("sevenepochs")

TINY = {
    "corpus": SampleCorpus(n_titles=100),
    "tokenizer.vocab_size": 300,
    "batches.batch_size": 8,
    "batches.block_size": 32,
    "model.n_layer": 2,
    "model.n_head": 2,
    "model.d_model": 16,
    "training.device": "cpu",
    "training.precision": "fp32",
    "training.compile": "off",
}


@pytest.fixture(scope="session", autouse=True)
def _one_thread_and_a_cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["SEVENEPOCHS_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def shrink() -> Callable[[Experiment], Experiment]:
    """An experiment made small enough for a second: 7 steps an epoch on 90 titles."""
    return lambda experiment: experiment.replace_all(TINY)


@pytest.fixture(scope="session")
def tiny(shrink: Callable[[Experiment], Experiment]) -> Experiment:
    """The adamw recipe made small."""
    return shrink(adamw())


@pytest.fixture(scope="session")
def finished_run(tiny: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A complete tiny run, trained once; do not change it."""
    return run_training(tiny, "tiny", tmp_path_factory.mktemp("runs"))
