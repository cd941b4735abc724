"""Every recipe's model is asked: in pieces as at once, the last layer's answer is the model's, and attention
adds up to 1 and looks back only."""

import numpy as np
import pytest
import torch

from sevenepochs.ask.model import Model
from sevenepochs.experiment import Experiment
from sevenepochs.store.run import Run


@pytest.fixture
def model(small_model: Experiment, finished_run: Run) -> Model:
    """A recipe's model, small, with weights large enough that every part has a say."""
    tokenizer = Model.load(finished_run).tokenizer
    network = small_model.build_model(tokenizer.vocab_size, tokenizer.texts()).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return Model(finished_run, small_model, tokenizer, network)


def test_every_recipe(model: Model) -> None:
    # two titles, as rows hold them
    context = np.append(model.encode("Ask HN: what do you use?"), model.encode("Why"))
    whole_TV = model.all_log_probs(context)
    prefix, parts = model.new_prefix(), []
    for piece in np.split(context, [1, 6, len(context) - 2]):
        part_TV, prefix = model.read_on(prefix, piece)
        parts.append(part_TV)
    np.testing.assert_allclose(np.concatenate(parts), whole_TV, atol=1e-3)
    (alone,) = model.log_probs_of([context])
    np.testing.assert_allclose(alone, whole_TV[np.arange(len(context) - 1), context[1:]], atol=1e-3)
    (trace,) = model.activations([context])
    assert len(trace.hidden_LTD) == model.experiment.model.n_layer + 1
    *_, last_TV = model.lens(trace.hidden_LTD)
    np.testing.assert_allclose(last_TV, whole_TV, atol=1e-3)
    np.testing.assert_allclose(trace.attention_LHTS.sum(-1), 1.0, atol=1e-5)
    assert (np.triu(trace.attention_LHTS, 1) == 0).all()
