"""Each optional part of the model against a plain computation of what it is said to do."""

import math

import pytest
import torch
import torch.nn.functional as F

from sevenepochs.errors import UserError
from sevenepochs.learning.chunked_head import mean_loss
from sevenepochs.learning.objective import cross_entropy
from sevenepochs.model.attention import Causal, HeadGate, ValueResidual
from sevenepochs.model.context import Context
from sevenepochs.model.dropout import Dropout, reseed
from sevenepochs.model.gpt import GPT
from sevenepochs.model.head import SoftCap, Tempered, Tied
from sevenepochs.model.init import ScaledResidual
from sevenepochs.model.mlp import Gelu, ReluSquared
from sevenepochs.model.residual import LayerScale, PreNorm, StochasticDepth
from sevenepochs.model.skip import X0, InputDropout, UNet
from sevenepochs.model.titles import Titles

B, T, D, H, K = 2, 9, 32, 4, 8


@pytest.fixture
def x_BTD():
    return torch.randn(B, T, D, generator=torch.Generator().manual_seed(0)) * 3 + 1


def heads(x_BTD):
    return x_BTD.view(B, T, H, K).transpose(1, 2)


def attend(q, k, v, hidden=None):
    """Softmax attention over earlier positions, heads joined again."""
    scores = q @ k.mT / math.sqrt(K)
    hidden = torch.ones(T, T).triu(1).bool() if hidden is None else hidden
    y = scores.masked_fill(hidden, float("-inf")).softmax(-1) @ v
    return y.transpose(1, 2).reshape(B, T, D)


# ---- attention ----


@pytest.mark.parametrize("training", [True, False])
def test_the_gate_scales_each_heads_output(x_BTD, training):
    attention = Causal(dropout=0.0, bias=False, gate=HeadGate()).build(D, H, 16).train(training)
    q, k, v = map(heads, (x_BTD @ attention.qkv.weight.T).split(D, dim=-1))
    gate_BTH = torch.sigmoid(x_BTD @ attention.gate.linear.weight.T)
    gated = attend(q, k, v) * gate_BTH.repeat_interleave(K, dim=-1)
    torch.testing.assert_close(attention(x_BTD, Context()), gated @ attention.out.weight.T, rtol=1e-4, atol=1e-4)


def test_values_are_mixed_with_the_first_layers(x_BTD):
    attention = Causal(dropout=0.0, bias=False, value_residual=ValueResidual(first=0.25)).build(D, H, 16).eval()
    q, k, v = map(heads, (x_BTD @ attention.qkv.weight.T).split(D, dim=-1))
    first = torch.randn(B, H, T, K, generator=torch.Generator().manual_seed(1))
    out = attention(x_BTD, Context(shared={"first_values": first}))
    expected = attend(q, k, 0.75 * v + 0.25 * first) @ attention.out.weight.T
    torch.testing.assert_close(out, expected, rtol=1e-4, atol=1e-4)
    context = Context()
    expected = attend(q, k, v) @ attention.out.weight.T
    torch.testing.assert_close(attention(x_BTD, context), expected, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(context.shared["first_values"], v)  # what the next layer finds


@pytest.mark.parametrize("training", [True, False])
def test_attention_inside_titles(x_BTD, training):
    attention = Causal(dropout=0.0, bias=False).build(D, H, 16).train(training)
    q, k, v = map(heads, (x_BTD @ attention.qkv.weight.T).split(D, dim=-1))
    title_BS = torch.tensor([[0, 0, 0, 1, 1, 1, 1, 2, 2], [0, 1, 2, 3, 4, 5, 6, 7, 8]])
    hidden = torch.ones(T, T).triu(1).bool() | (title_BS[:, :, None] != title_BS[:, None, :])
    expected = attend(q, k, v, hidden[:, None]) @ attention.out.weight.T
    torch.testing.assert_close(attention(x_BTD, Context(title_BS=title_BS)), expected, rtol=1e-4, atol=1e-4)


# ---- titles ----

IDS = torch.tensor([[5, 1, 6, 7, 1, 1, 8], [1, 5, 6, 7, 8, 9, 1]])


def test_an_eos_opens_the_title_behind_it():
    context = Context()
    Titles().enter(IDS, context)
    assert context.title_BS.tolist() == [[0, 1, 1, 1, 2, 3, 3], [1, 1, 1, 1, 1, 1, 2]]


def test_with_the_mask_a_title_is_predicted_from_itself_alone():
    model = GPT(n_layer=2, n_head=2, d_model=16, titles=Titles()).build(30, 16, seed=0).eval()
    row = torch.tensor([[1, 4, 5, 1, 6, 7]])
    changed = torch.tensor([[1, 9, 8, 1, 6, 7]])
    with torch.no_grad():
        torch.testing.assert_close(model(row)[:, 3:], model(changed)[:, 3:])
        assert not torch.allclose(model(row)[:, 1:3], model(changed)[:, 1:3])


# ---- MLPs ----


def test_relu_squared(x_BTD):
    mlp = ReluSquared().build(D)
    first, second = mlp.up.weight, mlp.down.weight
    torch.testing.assert_close(mlp(x_BTD), (x_BTD @ first.T).clamp(min=0) ** 2 @ second.T, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("config", [Gelu(dropout=0.5), ReluSquared(dropout=0.5)])
def test_dropout_on_hidden_activations(x_BTD, config):
    import dataclasses

    noisy, quiet = config.build(D), dataclasses.replace(config, dropout=0.0).build(D)
    quiet.load_state_dict(noisy.state_dict())  # weights keep their names
    reseed(noisy, 1, 1)
    assert not torch.allclose(noisy.train()(x_BTD), quiet(x_BTD))
    torch.testing.assert_close(noisy.eval()(x_BTD), quiet(x_BTD))
    assert not [m for m in quiet.modules() if isinstance(m, Dropout)]  # the other sites' masks stay what they were


# ---- residuals ----


def test_layer_scale(x_BTD):
    join = LayerScale(dropout=0.0, initial=0.1).build(D)
    torch.testing.assert_close(join(x_BTD, x_BTD**2), x_BTD + 0.1 * x_BTD**2)
    join = LayerScale(dropout=0.4).build(D)
    reseed(join, 1, 1)
    added = (join(x_BTD, x_BTD**2) - x_BTD) / (0.1 * x_BTD**2)
    torch.testing.assert_close(added.detach().round(decimals=2).unique(), torch.tensor([0.0, 1.67]))


def test_stochastic_depth_leaves_out_whole_rows():
    join = StochasticDepth(branch_dropout=0.25, of=PreNorm(dropout=0.0)).build(D)
    reseed(join, 1, 1)
    x_BTD = torch.full((2000, 2, 3), 2.0)
    out_BTD = join(x_BTD, x_BTD**2)
    assert (out_BTD == out_BTD[:, :1, :1]).all()  # a row as one
    values, counts = out_BTD[:, 0, 0].unique(return_counts=True)
    torch.testing.assert_close(values, torch.tensor([2.0, 2.0 + 4.0 / 0.75]))
    assert counts[0].item() == pytest.approx(500, abs=4 * math.sqrt(2000 * 0.25 * 0.75))
    torch.testing.assert_close(join.eval()(x_BTD, x_BTD**2), torch.full((2000, 2, 3), 6.0))


# ---- skips ----


def test_the_embedding_is_mixed_in_before_every_block(x_BTD):
    skip = X0(initial=0.5).build(3, D)
    context = Context()
    torch.testing.assert_close(skip(x_BTD, context), 1.5 * x_BTD)
    context.layer = 2
    other = torch.ones_like(x_BTD)
    torch.testing.assert_close(skip(other, context), other + 0.5 * x_BTD)


@pytest.mark.parametrize("n_layer", [2, 3, 4, 5])
def test_mirrored_layers_are_joined(n_layer):
    """Block i adds 10**i: the second half's inputs show which outputs came back."""
    skip = UNet(initial=1.0).build(n_layer, 1)
    context, x = Context(), torch.zeros(1, 1, 1)
    outputs, expected = [], 0.0
    for layer in range(n_layer):
        context.layer = layer
        x = skip(x, context)
        mirrored = n_layer - 1 - layer
        if mirrored < n_layer // 2:
            expected += outputs[mirrored]
        assert x.item() == expected
        x, expected = x + 10**layer, expected + 10**layer
        outputs.append(expected)
    with pytest.raises(UserError, match="n_layer >= 2"):
        UNet().build(1, 4)


def test_a_new_skip_changes_nothing_yet():
    plain, skipped = GPT(n_layer=4, n_head=2, d_model=16), GPT(n_layer=4, n_head=2, d_model=16, skip=UNet())
    ids = torch.arange(8)[None]
    torch.testing.assert_close(plain.build(30, 8, 0).eval()(ids), skipped.build(30, 8, 0).eval()(ids))


def test_whole_input_vectors_are_left_out_in_training_alone():
    x_BTD, context = torch.ones(200, 10, 3), Context()
    skip = InputDropout(rate=0.25).build(2, 3).train()
    reseed(skip, seed=1, step=1)
    out_BTD = skip(x_BTD, context)
    assert torch.equal(out_BTD, out_BTD[:, :, :1].expand_as(out_BTD))  # all of a vector or nothing
    values, counts = out_BTD[:, :, 0].unique(return_counts=True)
    torch.testing.assert_close(values, torch.tensor([0.0, 1 / 0.75]))
    assert counts[0].item() == pytest.approx(500, abs=4 * math.sqrt(2000 * 0.25 * 0.75))
    assert torch.equal(skip.eval()(x_BTD, context), x_BTD)
    context.layer = 1
    assert torch.equal(skip.train()(x_BTD, context), x_BTD)


# ---- head and init ----


def test_capped_logits(x_BTD):
    embedding = torch.nn.Embedding(50, D)
    head = SoftCap(cap=5.0).build(embedding)
    logits = x_BTD @ embedding.weight.T
    torch.testing.assert_close(head(x_BTD), 5.0 * torch.tanh(logits / 5.0), rtol=1e-4, atol=1e-4)
    assert head(100 * x_BTD).abs().max() <= 5.0 and head(x_BTD.bfloat16().float()).dtype == torch.float32


def test_a_temperature_is_for_evaluation_alone(x_BTD):
    plain, tempered = (GPT(n_layer=1, n_head=2, d_model=D, head=head) for head in (Tied(), Tempered(temperature=1.25)))
    plain, tempered = plain.build(50, T, seed=0), tempered.build(50, T, seed=0)
    assert torch.equal(tempered.train().logits(x_BTD), plain.logits(x_BTD))
    torch.testing.assert_close(tempered.eval().logits(x_BTD), plain.logits(x_BTD) / 1.25)
    y_BT = torch.arange(B * T).view(B, T)
    loss = mean_loss(tempered, x_BTD.unsqueeze(0), y_BT, cross_entropy)  # of an evaluation, by chunks
    torch.testing.assert_close(loss, F.cross_entropy(tempered.logits(x_BTD).flatten(0, 1), y_BT.flatten()))


@pytest.mark.parametrize("mlp", [Gelu(), ReluSquared()])
def test_what_writes_to_the_stream_starts_smaller(mlp):
    config = GPT(n_layer=3, n_head=2, d_model=128, mlp=mlp, attention=Causal(gate=HeadGate()), init=ScaledResidual())
    model = config.build(500, 8, seed=7)
    for name, parameter in model.named_parameters():
        if parameter.ndim == 2 and not name.startswith("position") and "gate" not in name:  # too few to tell
            is_writer = name.endswith(("attention.out.weight", "mlp.down.weight"))
            std = 0.02 / math.sqrt(6) if is_writer else 0.02
            assert parameter.std().item() == pytest.approx(std, rel=0.1), name


def test_everything_together_learns():
    """Gradients reach every parameter of every optional part, through one backward pass."""
    config = GPT(
        n_layer=3, n_head=2, d_model=16, titles=Titles(), skip=UNet(initial=0.1),
        attention=Causal(value_residual=ValueResidual(), gate=HeadGate()),
        residual=StochasticDepth(of=LayerScale()), mlp=ReluSquared(dropout=0.1), head=SoftCap(),
    )  # fmt: skip
    model = config.build(30, 8, seed=0)
    reseed(model, 1, 1)
    ids = torch.randint(0, 30, (16, 9), generator=torch.Generator().manual_seed(0))
    F.cross_entropy(model.logits(model(ids[:, :-1])).flatten(0, 1), ids[:, 1:].flatten()).backward()
    assert [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()] == []
