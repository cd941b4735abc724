"""Muon against torch's own on the same gradients, AdamW for the rest, and one optimizer to the outside."""

import copy

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from sevenepochs.learning.optim import AdamW
from sevenepochs.learning.optim.muon import MatrixMuon, Muon, MuonFirmEmbedding, hidden_matrices, orthogonalised
from sevenepochs.model.attention import Causal, HeadGate
from sevenepochs.model.embedding.letter_parts import LetterParts
from sevenepochs.model.gpt import GPT
from sevenepochs.model.residual import LayerScale
from sevenepochs.model.skip import UNet

SHAPES = [(24, 8), (24, 8), (8, 24), (16, 16), (2, 16), (8, 24)]  # tall, wide, square; some twice


def matrices():
    generator = torch.Generator().manual_seed(0)
    return [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in SHAPES]


def give_gradients(parameters, seed):
    generator = torch.Generator().manual_seed(seed)
    for p in parameters:
        p.grad = 10.0 * torch.randn(p.shape, generator=generator)


@pytest.mark.parametrize("nesterov", [True, False])
@pytest.mark.parametrize("decay", [0.0, 0.1])
def test_muon_is_torchs(nesterov, decay):
    ours, theirs = matrices(), matrices()
    config = Muon(lr=0.02, momentum=0.9, nesterov=nesterov, weight_decay=decay)
    optimizer = MatrixMuon(ours, config)
    reference = torch.optim.Muon(theirs, lr=0.02, momentum=0.9, nesterov=nesterov, weight_decay=decay)
    for step, lr in enumerate((0.02, 0.01, 0.005, 0.02)):
        for parameters, each in ((ours, optimizer), (theirs, reference)):
            give_gradients(parameters, step)
            each.param_groups[0]["lr"] = lr
            each.step()
    for left, right, start in zip(ours, theirs, matrices(), strict=True):
        # products in bf16, batched here and single there
        torch.testing.assert_close(left, right, rtol=0.0, atol=4 * 0.02 * 0.02)
        assert (left - start).abs().max() > 0.01


@pytest.mark.parametrize("shape", [(3, 8, 24), (3, 24, 8), (2, 16, 16)])
def test_singular_values_come_near_one_and_vectors_stay(shape):
    x = torch.randn(shape, generator=torch.Generator().manual_seed(3)).double()
    y = orthogonalised(x, 5, torch.float64)
    values = torch.linalg.svdvals(y)
    assert values.min() > 0.5 and values.max() < 1.3
    u, _, vh = torch.linalg.svd(x, full_matrices=False)
    inside = u.mT @ y @ vh.mT  # diagonal when y has x's singular vectors
    torch.testing.assert_close(inside, torch.diag_embed(inside.diagonal(dim1=-2, dim2=-1)), rtol=0.0, atol=1e-8)
    one_by_one = torch.stack([orthogonalised(matrix[None], 5, matrix.dtype)[0] for matrix in x])
    torch.testing.assert_close(y, one_by_one)


@pytest.mark.parametrize("is_fast", [True, False])
def test_products_are_in_bf16_where_that_is_fast(is_fast, monkeypatch):
    """Emulated bf16 made Newton-Schulz cost more than the rest of a step on a CPU without bf16 units."""
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: is_fast, raising=False)
    dtypes = {}
    for precision in ("auto", "bf16", "fp32"):
        parameters = matrices()
        give_gradients(parameters, 0)
        optimizer = MatrixMuon(parameters, Muon(precision=precision))
        monkeypatch.setattr(
            "sevenepochs.learning.optim.muon.orthogonalised",
            lambda x, n, dtype, p=precision: dtypes.setdefault(p, dtype) and x,
        )
        optimizer.step()
    automatic = torch.bfloat16 if is_fast else torch.float32
    assert dtypes == {"auto": automatic, "bf16": torch.bfloat16, "fp32": torch.float32}


def test_a_zero_gradient_moves_nothing():
    assert (orthogonalised(torch.zeros(1, 4, 6), 5, torch.bfloat16) == 0).all()


@pytest.fixture
def model():
    return GPT(
        n_layer=2, n_head=2, d_model=16, attention=Causal(gate=HeadGate()), residual=LayerScale(), skip=UNet()
    ).build(30, 8, seed=0)  # fmt: skip


def test_the_groups_partition_the_model(model):
    chosen, rest = hidden_matrices(model)
    names = {id(p): name for name, p in model.named_parameters()}
    assert {names[id(p)].split(".", 2)[2] for p in chosen} == {
        "attention.qkv.weight", "attention.out.weight", "attention.gate.linear.weight",
        "mlp.up.weight", "mlp.down.weight",
    }  # fmt: skip
    assert len(chosen) == 10
    assert {"embedding.weight", "position.weight_TD", "skip.weight_SD", "norm.weight"} <= {names[id(p)] for p in rest}
    assert sorted(id(p) for p in [*chosen, *rest]) == sorted(names)
    optimizer = Muon().build(model)
    grouped = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(grouped) == sorted(names)


def test_the_rest_moves_as_with_adamw_alone(model):
    other = copy.deepcopy(model)
    rest = AdamW(lr=3e-3, beta2=0.999, weight_decay=0.1)
    both, alone = Muon(lr=0.01, rest=rest).build(model), rest.build(other)
    for step in range(3):
        give_gradients(model.parameters(), step)
        give_gradients(other.parameters(), step)
        both.step()
        alone.step()
    chosen = {name for name, p in model.named_parameters() if any(p is m for m in hidden_matrices(model)[0])}
    for (name, left), (_, right) in zip(model.named_parameters(), other.named_parameters(), strict=True):
        assert torch.equal(left, right) is (name not in chosen), name


@pytest.mark.parametrize("firm", ["all", "own"])
def test_a_firm_embedding_decays_and_nothing_else_does(firm):
    texts = ["<pad>", "<eos>", "the", " the", "The", "other"]
    model = GPT(n_layer=1, n_head=2, d_model=16, embedding=LetterParts()).build(len(texts), 8, 0, texts)
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    config = MuonFirmEmbedding(rest=AdamW(lr=0.5, weight_decay=0.0), embedding_decay=0.4, firm=firm)
    optimizer = config.build(model)
    grouped = [id(p) for group in optimizer.param_groups for p in group["params"]]
    assert sorted(grouped) == sorted(id(p) for p in model.parameters())
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    parts = {"embedding.own.weight", "embedding.word.weight", "embedding.form.weight", "embedding.letters.weight"}
    decayed = parts if firm == "all" else {"embedding.own.weight"}
    assert parts <= before.keys()
    for name, p in model.named_parameters():
        torch.testing.assert_close(p, before[name] * (0.8 if name in decayed else 1.0), msg=name)


def test_saved_and_loaded_it_goes_on_as_before(model):
    other = copy.deepcopy(model)
    first, second = Muon(weight_decay=0.1).build(model), Muon(weight_decay=0.1).build(other)
    for step in range(2):
        give_gradients(model.parameters(), step)
        first.step()
    other.load_state_dict(model.state_dict())
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for optimizer, each in ((first, model), (second, other)):
        give_gradients(each.parameters(), 9)
        for group in optimizer.param_groups:
            group["lr"] *= 0.5  # the trainer's schedule reaches the parts
        optimizer.step()
    for left, right in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(left, right)
    before = [p.detach().clone() for p in model.parameters()]
    for group in first.param_groups:
        group["lr"] = 0.0
    first.step()
    assert all(torch.equal(p, old) for p, old in zip(model.parameters(), before, strict=True))


def test_the_updates_products_are_counted():
    """Against torch's own counter, on a wide and a tall matrix; the batched addition costs nothing there."""
    model = GPT(n_layer=1, n_head=2, d_model=16).build(30, 8, seed=0)
    config = Muon(n_iterations=3, precision="fp32")
    optimizer = config.build(model)
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    with FlopCounterMode(display=False) as counter:
        optimizer.step()
    assert counter.get_total_flops() == config.update_flop(model) > 0
    assert AdamW().update_flop(model) == 0
