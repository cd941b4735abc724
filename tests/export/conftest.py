"""Models to export, without training: a finished run's folder around freshly drawn weights of any shape."""

from collections.abc import Callable

import pytest
import torch

from sevenepochs.ask.model import Model
from sevenepochs.experiment import Experiment
from sevenepochs.model.embedding import Table
from sevenepochs.store.run import Run


@pytest.fixture(scope="session")
def drawn(finished_run: Run) -> Callable[[Experiment], Model]:
    """The experiment's model with weights large enough that a slip shows, positions and gains among them."""

    def draw(experiment: Experiment) -> Model:
        tokenizer = Model.load(finished_run).tokenizer
        model = (
            experiment.replace("model.embedding", Table()).build_model(tokenizer.vocab_size).eval()
        )  # as runs keep it
        generator = torch.Generator().manual_seed(3)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.3)
        return Model(finished_run, experiment, tokenizer, model)

    return draw
