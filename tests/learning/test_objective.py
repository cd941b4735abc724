import pytest
import torch
import torch.nn.functional as F

from sevenepochs.experiment import Experiment
from sevenepochs.learning.objective import CrossEntropy, LateRDrop, RDrop
from sevenepochs.model.dropout import reseed
from sevenepochs.model.gpt import GPT

IDS = torch.randint(0, 30, (4, 9), generator=torch.Generator().manual_seed(0))
X_BT, Y_BT = IDS[:, :-1], IDS[:, 1:]


@pytest.fixture
def model():
    model = GPT(n_layer=2, n_head=2, d_model=16).build(30, 8, seed=0).train()
    with torch.no_grad():
        model.embedding.weight.mul_(50.0)  # so that dropout moves the predictions
    reseed(model, 1, 1)
    return model


def by_hand(model, weight, y_BT):
    """From the two halves' probabilities, token by token."""
    log_p, log_q = model.logits(model(torch.cat((X_BT, X_BT)))).log_softmax(-1).chunk(2)
    total, n = 0.0, 0
    for b in range(4):
        for t in range(8):
            y = y_BT[b, t]
            if y < 0:
                continue
            p, q = log_p[b, t], log_q[b, t]
            kl = F.kl_div(q, p, log_target=True, reduction="sum") + F.kl_div(p, q, log_target=True, reduction="sum")
            total, n = total - 0.5 * (p[y] + q[y]) + weight * 0.5 * kl, n + 1
    return total / n


@pytest.mark.parametrize("weight", [0.0, 2.0])
@pytest.mark.parametrize("padding", [False, True])
def test_r_drop_and_its_gradient_by_hand(model, weight, padding):
    y_BT = Y_BT.clone()
    if padding:
        y_BT[0, 5:] = y_BT[3] = -100
    got, expected = RDrop(weight=weight).loss(model, X_BT, y_BT), by_hand(model, weight, y_BT)
    torch.testing.assert_close(got, expected, rtol=1e-4, atol=1e-4)
    for left, right in zip(
        torch.autograd.grad(got, list(model.parameters())),
        torch.autograd.grad(expected, list(model.parameters())),
        strict=True,
    ):
        torch.testing.assert_close(left, right, rtol=1e-3, atol=1e-4)


def test_the_two_passes_differ_and_cost_two(model):
    plain = RDrop(weight=0.0).loss(model, X_BT, Y_BT)
    assert RDrop(weight=1.0).loss(model, X_BT, Y_BT) - plain > 1e-3  # the masks of the halves are not the same
    assert RDrop.passes_per_token == 2 and CrossEntropy.passes_per_token == 1
    model.eval()
    torch.testing.assert_close(RDrop(weight=5.0).loss(model, X_BT, Y_BT), CrossEntropy().loss(model, X_BT, Y_BT))


def test_late_r_drop_is_one_objective_and_then_the_other():
    late = LateRDrop(weight=3.0, first_epoch=4)
    assert [late.at(epoch) for epoch in (1, 3, 4, 7)] == [CrossEntropy(), CrossEntropy(), RDrop(3.0), RDrop(3.0)]
    assert RDrop(3.0).at(1) == RDrop(3.0)
    passes = [Experiment(objective=objective).passes_per_token for objective in (CrossEntropy(), late, RDrop())]
    assert passes == [1, (3 * 1 + 4 * 2) / 7, 2] and isinstance(passes[0], int)


def test_padding_is_not_scored(model):
    model.eval()
    y_BT = Y_BT.clone()
    y_BT[2:] = -100
    for objective in (CrossEntropy(), RDrop()):
        torch.testing.assert_close(objective.loss(model, X_BT, y_BT), objective.loss(model, X_BT[:2], Y_BT[:2]))


def test_nothing_but_padding_is_a_loss_of_zero(model):
    """A part of a batch, one process's or a micro-batch, may hold none of its titles; a NaN from it would stop all."""
    for objective in (CrossEntropy(), RDrop()):
        loss = objective.loss(model, X_BT, torch.full_like(Y_BT, -100))
        assert loss == 0.0
        assert all((gradient == 0).all() for gradient in torch.autograd.grad(loss, list(model.parameters())))
