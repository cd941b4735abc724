import pytest
import torch

from sevenepochs.learning.averaging import EMA, LastWeights, Tail

N_STEPS = 20


def trained(config):
    """A model whose weights after step t are known, and its average."""
    model = torch.nn.Linear(2, 1)
    average = config.build(model, N_STEPS)
    history = []
    for step in range(1, N_STEPS + 1):
        with torch.no_grad():
            model.weight.copy_(torch.tensor([[step**2, -step]]))
        average.update(step)
        history.append(model.weight.detach().clone())
    return model, average, history


def averaged(model, average):
    own = {name: p.detach().clone() for name, p in model.named_parameters()}
    with average.in_place():
        weight = model.weight.detach().clone()
    assert all(torch.equal(p, own[name]) for name, p in model.named_parameters())  # put back to the bit
    return weight


@pytest.mark.parametrize(("last", "n"), [(0.25, 5), (1.0, 20), (0.0, 1), (0.05, 1)])
def test_the_tails_mean(last, n):
    model, average, history = trained(Tail(last=last))
    torch.testing.assert_close(averaged(model, average), sum(history[-n:]) / n)


def test_before_the_tail_the_newest_weights_stand():
    assert [Tail(last=0.2).share(step, 10) for step in (1, 8, 9, 10)] == [1.0, 1.0, 1.0, 0.5]


def test_the_exponential_average():
    model, average, history = trained(EMA(decay=0.8))
    expected = torch.zeros(1, 2)
    for step, weight in enumerate(history, start=1):
        decay = min(0.8, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay) * weight
    start = 1.0  # what is left of the weights before the first step, which were no part of the history
    for step in range(1, N_STEPS + 1):
        start *= min(0.8, (1 + step) / (10 + step))
    torch.testing.assert_close(averaged(model, average), expected, rtol=1e-4, atol=2 * start)
    assert EMA(decay=0.999).share(1) == pytest.approx(1 - 2 / 11) and EMA(decay=0.9).share(1000) == pytest.approx(0.1)


def test_no_average_is_the_last_weights():
    model, average, history = trained(LastWeights())
    assert torch.equal(averaged(model, average), history[-1]) and average.tensors() == {}


@pytest.mark.parametrize("config", [EMA(decay=0.9), Tail(last=0.5)])
def test_kept_and_loaded(config):
    model, average, _ = trained(config)
    kept = {name: tensor.clone() for name, tensor in average.tensors().items()}
    other_model = torch.nn.Linear(2, 1)
    other = config.build(other_model, N_STEPS)
    other.load(kept)
    assert torch.equal(averaged(other_model, other), averaged(model, average))
    assert not average.tensors()["weight"].requires_grad


def test_an_error_inside_puts_the_weights_back_too():
    model, average, history = trained(EMA(decay=0.5))
    with pytest.raises(RuntimeError), average.in_place():
        raise RuntimeError
    assert torch.equal(model.weight, history[-1])
