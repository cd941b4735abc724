"""The reader asks every recipe's model: in pieces as at once, the last layer's answer is the model's, and attention
adds up to 1 and looks back only."""

import numpy as np
import pytest
import torch

from sevenepochs.ask.reader import Reader
from sevenepochs.ask.trained import TrainedRun, load_trained
from sevenepochs.experiment import Experiment
from sevenepochs.store.run import Run


@pytest.fixture
def reader(small_model: Experiment, finished_run: Run) -> Reader:
    """A recipe's model, small, with weights large enough that every part has a say."""
    tokenizer = load_trained(finished_run).tokenizer
    model = small_model.build_model(tokenizer.vocab_size, tokenizer.texts()).eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=generator))
    return Reader.of(TrainedRun(finished_run, small_model, tokenizer, model))


def test_every_recipe(reader: Reader) -> None:
    # two titles, as rows hold them
    context = np.append(reader.encode("Ask HN: what do you use?"), reader.encode("Why"))
    whole_TV = reader.all_log_probs(context)
    memory, parts = reader.remember(), []
    for piece in np.split(context, [1, 6, len(context) - 2]):
        part_TV, memory = reader.read_on(memory, piece)
        parts.append(part_TV)
    np.testing.assert_allclose(np.concatenate(parts), whole_TV, atol=1e-3)
    (alone,) = reader.log_probs_of([context])
    np.testing.assert_allclose(alone, whole_TV[np.arange(len(context) - 1), context[1:]], atol=1e-3)
    trace = reader.trace(context)
    assert len(trace.hidden_LTD) == reader.experiment.model.n_layer + 1
    *_, last_TV = reader.lens(trace.hidden_LTD)
    np.testing.assert_allclose(last_TV, whole_TV, atol=1e-3)
    np.testing.assert_allclose(trace.attention_LHTS.sum(-1), 1.0, atol=1e-5)
    assert (np.triu(trace.attention_LHTS, 1) == 0).all()
