import math

import pytest
import torch

from sevenepochs.learning.objective import CrossEntropy, ObjectiveConfig, RDrop
from sevenepochs.learning.optim import SGD
from sevenepochs.model.dropout import share_rows
from sevenepochs.model.gpt import GPT
from sevenepochs.model.residual import StochasticDepth
from sevenepochs.training.ranks import ALONE
from sevenepochs.training.step import loss_function, training_step

IDS = torch.randint(0, 30, (4, 9), generator=torch.Generator().manual_seed(0))


@pytest.fixture
def model():
    return GPT(n_layer=1, n_head=2, d_model=16).build(30, 8, seed=0).train()


def step_once(model, loss_of=None, *, grad_clip=None, lr_multiplier=1.0, step=1, lr=0.5):
    optimizer = SGD(lr=lr).build(model)
    optimizer.param_groups[0]["peak_lr"] = lr
    loss_of = loss_of or loss_function(CrossEntropy(), model, "fp32", compiled=False)
    return training_step(
        model, loss_of, optimizer, IDS[:, :-1], IDS[:, 1:],
        step=step, seed=7, lr_multiplier=lr_multiplier, grad_clip=grad_clip,
    )  # fmt: skip


def moves(model, **options):
    before = [p.detach().clone() for p in model.parameters()]
    result = step_once(model, **options)
    return [(p - old).detach() for p, old in zip(model.parameters(), before, strict=True)], result


def length(tensors):
    return math.sqrt(sum(t.square().sum().item() for t in tensors))


def test_the_gradient_norm_is_taken_before_clipping_and_the_step_after(model):
    moved, result = moves(model, grad_clip=0.1)
    assert result.grad_norm > 0.1
    assert length(moved) == pytest.approx(0.5 * 0.1, rel=1e-3)


def test_without_clipping_the_whole_gradient_counts(model):
    moved, result = moves(model, grad_clip=None)
    assert length(moved) == pytest.approx(0.5 * result.grad_norm, rel=1e-3)


def test_the_multiplier_scales_the_peak_rate(model):
    moved, result = moves(model, lr_multiplier=0.25)
    assert length(moved) == pytest.approx(0.25 * 0.5 * result.grad_norm, rel=1e-3)


def test_a_step_can_be_replayed_on_its_own(model):
    state = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    first = step_once(model, step=5)
    torch.manual_seed(99)  # torch's own generator has no part in it
    model.load_state_dict(state)
    assert step_once(model, step=5) == first
    model.load_state_dict(state)
    assert step_once(model, step=6) != first  # other dropout masks


@pytest.mark.parametrize("compiled", [False, pytest.param(True, marks=pytest.mark.long)])
@pytest.mark.parametrize("objective", [CrossEntropy(), RDrop()])
@pytest.mark.parametrize("parts", [1, 2, 4])
def test_a_step_in_micro_batches_is_the_step_of_the_whole(objective, parts, compiled):
    """With dropout on, of branches too; padding leaves one part without a target, and parts count unequally."""
    model = GPT(n_layer=2, n_head=2, d_model=16, residual=StochasticDepth(branch_dropout=0.4)).build(30, 8, 0).train()
    x_BT, y_BT = IDS[:, :-1], IDS[:, 1:].clone()
    y_BT[0, 3:], y_BT[1] = -100, -100
    optimizer = SGD(lr=0.5).build(model)
    optimizer.param_groups[0]["peak_lr"] = 0.0  # the weights stay
    torch.compiler.reset()
    loss_of = loss_function(objective, model, "fp32", compiled)

    def gradients(loss_weights):
        share_rows(model, len(x_BT) // len(loss_weights), len(x_BT))
        result = training_step(
            model, loss_of, optimizer, x_BT, y_BT,
            step=3, seed=7, lr_multiplier=1.0, grad_clip=None, loss_weights=loss_weights,
        )  # fmt: skip
        return result, [p.grad.clone() for p in model.parameters()]

    weights = ALONE.loss_weights(y_BT.numpy(), parts)
    assert sum(weights) == pytest.approx(1) and (parts != 4 or weights[1] == 0)
    (whole, expected), (cut, got) = gradients((1.0,)), gradients(weights)
    assert tuple(cut) == pytest.approx(tuple(whole), rel=1e-5)
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("bad", ["loss", "gradient"])
def test_what_is_not_finite_changes_nothing(model, bad):
    class Bad(ObjectiveConfig):
        def loss(self, model, x_BT, y_BT):
            loss = CrossEntropy().loss(model, x_BT, y_BT)
            # sqrt has an infinite slope at zero, where its value is fine
            return loss * float("inf") if bad == "loss" else loss + (model.norm.weight - 1).abs().sum().sqrt()

    moved, result = moves(model, loss_of=loss_function(Bad(), model, "fp32", compiled=False))
    assert not (math.isfinite(result.loss) and math.isfinite(result.grad_norm))
    assert length(moved) == 0.0
