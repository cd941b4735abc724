"""Head and loss in chunks, against the same loss written over all logits and differentiated by torch in fp64."""

import pytest
import torch
import torch.nn.functional as F

from sevenepochs.errors import UserError
from sevenepochs.learning import chunked_head
from sevenepochs.learning.chunked_head import mean_loss
from sevenepochs.learning.objective import RDrop, cross_entropy
from sevenepochs.model.gpt import GPT
from sevenepochs.model.head import HeadConfig, SoftCap, Tied

V, D, B, T = 37, 8, 5, 7


class Untied(HeadConfig):
    """A head that is more than a product, so its logits are asked for all at once."""

    def build(self, embedding):
        return torch.nn.Sequential(torch.nn.Linear(D, D), torch.nn.Linear(D, V))


def in_full(model, h_KBTD, y_BT, weight):
    """The reference: cross-entropy, and for two passes the divergence, over all logits."""
    log_p_KNV = model.logits(h_KBTD).flatten(1, 2).log_softmax(-1)
    y_N = y_BT.flatten()
    loss = sum(F.nll_loss(log_p_NV, y_N) for log_p_NV in log_p_KNV) / len(log_p_KNV)
    if len(log_p_KNV) == 2:
        p, q = log_p_KNV
        kl_N = F.kl_div(q, p, log_target=True, reduction="none") + F.kl_div(p, q, log_target=True, reduction="none")
        loss = loss + weight * 0.5 * kl_N.sum(-1)[y_N >= 0].mean()
    return loss


@pytest.fixture
def small_chunks(monkeypatch):
    monkeypatch.setattr(chunked_head, "_LOGITS_AT_ONCE", 8 * V)  # 8 rows a chunk, or 4 of two passes; 35 rows in all


def case(head, n_passes, padding, dtype):
    generator = torch.Generator().manual_seed(3)
    model = GPT(n_layer=1, n_head=1, d_model=D, head=head).build(V, T, seed=0).to(dtype)
    with torch.no_grad():
        for p in model.head.parameters():
            p.mul_(40.0)  # confident predictions, and a cap that bends
    h = torch.randn(n_passes, B, T, D, generator=generator).to(dtype).requires_grad_()
    y_BT = torch.randint(0, V, (B, T), generator=generator)
    if padding:
        y_BT[1, 3:] = y_BT[4] = -100
    return model, h, y_BT, (cross_entropy if n_passes == 1 else RDrop(weight=2.5).of_logits)


def gradients(model, h, loss):
    return torch.autograd.grad(loss, [h, *model.head.parameters()])


@pytest.mark.parametrize("padding", [False, True])
@pytest.mark.parametrize("n_passes", [1, 2])
@pytest.mark.parametrize("head", [Tied(), SoftCap(cap=2.0), SoftCap(cap=3.0, of=SoftCap(cap=2.0)), Untied()])
def test_loss_and_gradients_are_those_of_all_logits(small_chunks, head, n_passes, padding):
    model, h, y_BT, loss_of = case(head, n_passes, padding, torch.float64)
    chunked = mean_loss(model, h, y_BT, loss_of)
    expected = in_full(model, h, y_BT, weight=2.5).double()
    torch.testing.assert_close(chunked.double(), expected, rtol=1e-6, atol=1e-6)  # logits are taken in fp32
    for got, right in zip(gradients(model, h, chunked), gradients(model, h, expected), strict=True):
        torch.testing.assert_close(got, right, rtol=1e-4, atol=2e-6)


@pytest.mark.parametrize("n_passes", [1, 2])
def test_in_bf16_the_gradients_err_by_its_rounding_only(small_chunks, n_passes):
    model, h, y_BT, loss_of = case(Tied(), n_passes, True, torch.float32)
    exact_model, exact_h, *_ = case(Tied(), n_passes, True, torch.float64)
    with torch.autocast("cpu", torch.bfloat16):
        loss = mean_loss(model, h, y_BT, loss_of)
    expected = in_full(exact_model, exact_h, y_BT, weight=2.5)
    assert loss.dtype == torch.float32
    assert abs(loss.item() - expected.item()) < 0.01 * expected.item()
    for got, right in zip(gradients(model, h, loss), gradients(exact_model, exact_h, expected), strict=True):
        assert got.dtype == torch.float32
        assert (got - right).norm() < 0.02 * right.norm()  # bf16 has 8 bits: 2^-8 = 0.004 a factor


def test_no_chunk_is_larger_than_allowed(small_chunks):
    model, h, y_BT, loss_of = case(Tied(), 2, False, torch.float32)
    sizes = []

    def listening(logits_KCV, y_C):
        sizes.append(logits_KCV.shape[1])
        return loss_of(logits_KCV, y_C)

    mean_loss(model, h, y_BT, listening)
    assert sizes == [4] * 8 + [3]


@pytest.mark.parametrize("n_passes", [1, 2])
def test_compiled_it_is_the_same(small_chunks, n_passes):
    """One graph (the traced one is run as it is), where targets are found element by element."""
    model, h, y_BT, loss_of = case(SoftCap(), n_passes, True, torch.float32)
    traced = torch.compile(
        lambda h, y: mean_loss(model, h, y, loss_of), backend="aot_eager", fullgraph=True, dynamic=False
    )
    compiled, eager = traced(h, y_BT), mean_loss(model, h, y_BT, loss_of)
    torch.testing.assert_close(compiled, eager)
    for left, right in zip(gradients(model, h, compiled), gradients(model, h, eager), strict=True):
        torch.testing.assert_close(left, right)


def test_a_cap_needs_a_product():
    with pytest.raises(UserError, match=r"model\.head\.of = Untied"):
        GPT(n_layer=1, n_head=1, d_model=D, head=SoftCap(of=Untied())).build(V, T, seed=0)
