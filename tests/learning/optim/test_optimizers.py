import numpy as np
import pytest
import torch

from sevenepochs.learning.optim import SGD, AdamW
from sevenepochs.model.gpt import GPT


@pytest.fixture
def layer():
    torch.manual_seed(0)
    return torch.nn.Linear(5, 3)


def gradients(n_steps):
    rng = np.random.default_rng(1)
    return [[rng.normal(size=(3, 5)).astype(np.float32), rng.normal(size=3).astype(np.float32)] for _ in range(n_steps)]


def run(optimizer, layer, steps, lrs):
    for grads, lr in zip(steps, lrs, strict=True):
        for parameter, grad in zip(layer.parameters(), grads, strict=True):
            parameter.grad = torch.from_numpy(grad.copy())
        optimizer.param_groups[0]["lr"] = lr
        optimizer.step()
    return [p.detach().numpy() for p in layer.parameters()]


@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_adamw_is_the_formula_with_decoupled_decay(layer, decay):
    config = AdamW(lr=5e-3, beta1=0.9, beta2=0.95, eps=1e-8, weight_decay=decay)
    values = [p.detach().numpy().astype(np.float64).copy() for p in layer.parameters()]
    m, v = ([np.zeros_like(p) for p in values] for _ in range(2))
    steps, lrs = gradients(4), [5e-3, 4e-3, 3e-3, 1e-3]
    for t, (grads, lr) in enumerate(zip(steps, lrs, strict=True), start=1):
        for i, grad in enumerate(grads):  # the decay falls on every parameter, biases too
            values[i] -= lr * decay * values[i]  # before the Adam step, and not through the moments
            m[i] = 0.9 * m[i] + 0.1 * grad
            v[i] = 0.95 * v[i] + 0.05 * grad.astype(np.float64) ** 2
            values[i] -= lr * (m[i] / (1 - 0.9**t)) / (np.sqrt(v[i] / (1 - 0.95**t)) + 1e-8)
    for got, expected in zip(run(config.build(layer), layer, steps, lrs), values, strict=True):
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize(("momentum", "decay"), [(0.0, 0.0), (0.9, 0.0), (0.9, 0.1)])
def test_sgd_is_the_formula(layer, momentum, decay):
    values = [p.detach().numpy().astype(np.float64).copy() for p in layer.parameters()]
    buffers = [np.zeros_like(p) for p in values]
    steps, lrs = gradients(3), [6e-3, 5e-3, 1e-3]
    for grads, lr in zip(steps, lrs, strict=True):
        for i, grad in enumerate(grads):
            buffers[i] = momentum * buffers[i] + grad + decay * values[i]
            values[i] -= lr * buffers[i]
    optimizer = SGD(momentum=momentum, weight_decay=decay).build(layer)
    for got, expected in zip(run(optimizer, layer, steps, lrs), values, strict=True):
        np.testing.assert_allclose(got, expected, rtol=2e-5, atol=1e-7)


@pytest.mark.parametrize("config", [SGD(), AdamW()])
def test_every_parameter_is_in_exactly_one_group(config):
    model = GPT(n_layer=2, n_head=2, d_model=16).build(30, 8, seed=0)
    grouped = [id(p) for group in config.build(model).param_groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters())  # the tied matrix once


def test_the_stock_optimizer_has_no_momentum_and_no_decay():
    group = SGD().build(torch.nn.Linear(2, 2)).param_groups[0]
    assert (group["lr"], group["momentum"], group["weight_decay"]) == (6e-3, 0.0, 0.0)
