import math

import pytest
import torch

from sevenepochs.errors import UserError
from sevenepochs.model.attention import Causal
from sevenepochs.model.context import Context
from sevenepochs.model.gpt import GPT
from sevenepochs.model.norm import LayerNorm, RMSNorm
from sevenepochs.model.position import Learned, NoPosition, Rope


@pytest.fixture
def x_BTD():
    return torch.randn(2, 9, 32, generator=torch.Generator().manual_seed(0)) * 3 + 1


# ---- norms ----


def test_rms_norm_is_torchs(x_BTD):
    ours, theirs = RMSNorm(eps=1e-6).build(32), torch.nn.RMSNorm(32, eps=1e-6)
    with torch.no_grad():
        ours.weight_D.normal_(generator=torch.Generator().manual_seed(1))
        theirs.weight.copy_(ours.weight_D)
    torch.testing.assert_close(ours(x_BTD), theirs(x_BTD))
    torch.testing.assert_close(
        ours(x_BTD), x_BTD / (x_BTD.square().mean(-1, keepdim=True) + 1e-6).sqrt() * ours.weight_D
    )


def test_rms_norm_takes_its_statistics_in_fp32(x_BTD):
    assert RMSNorm().build(32)(x_BTD.bfloat16()).dtype == torch.float32


def test_layer_norm_has_gain_and_bias_and_the_stock_eps(x_BTD):
    norm = LayerNorm().build(32)
    centred = x_BTD - x_BTD.mean(-1, keepdim=True)
    torch.testing.assert_close(norm(x_BTD), centred / (centred.square().mean(-1, keepdim=True) + 1e-5).sqrt())
    assert sum(p.numel() for p in norm.parameters()) == 64


# ---- positions ----


def test_learned_positions_are_added_row_by_row(x_BTD):
    position = Learned().build(16, 32)
    assert (position.weight_TD == 0).all()
    with torch.no_grad():
        position.weight_TD.normal_()
    torch.testing.assert_close(position(x_BTD, Context())[1, 4], x_BTD[1, 4] + position.weight_TD[4])


def test_no_position_is_the_identity(x_BTD):
    assert NoPosition().build(16, 32)(x_BTD, Context()) is x_BTD


@pytest.mark.parametrize("base", [10_000.0, 50.0])
def test_rotated_products_depend_on_the_distance_alone(base):
    rotation = Rope(base=base).build(128, 16)
    q, k = torch.randn(2, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64).float()
    rotated_q = rotation(q.expand(1, 1, 128, 16), Context())[0, 0]
    rotated_k = rotation(k.expand(1, 1, 128, 16), Context())[0, 0]
    products_TT = rotated_q @ rotated_k.T
    for distance in (0, 1, 5, 64):
        diagonal = products_TT.diagonal(-distance)
        torch.testing.assert_close(diagonal, diagonal[:1].expand_as(diagonal), rtol=1e-4, atol=1e-4)
    assert products_TT.diagonal(0)[0].item() == pytest.approx((q @ k).item(), abs=1e-5)
    assert abs(products_TT[5, 0] - products_TT[0, 0]) > 1e-3


def test_rotation_keeps_lengths_and_leaves_position_zero_alone():
    rotation = Rope().build(128, 16)
    x_BHTK = torch.randn(2, 3, 128, 16, generator=torch.Generator().manual_seed(0))
    rotated = rotation(x_BHTK, Context())
    torch.testing.assert_close(rotated.norm(dim=-1), x_BHTK.norm(dim=-1))
    torch.testing.assert_close(rotated[:, :, 0], x_BHTK[:, :, 0])


def test_rotation_turns_halves_by_the_published_angles():
    """x_i and x_{i + K/2} turn by position * base ** (-2 i / K)."""
    rotation = Rope(base=10_000.0).build(128, 8)
    x = torch.randn(8, generator=torch.Generator().manual_seed(0))
    position = 37
    rotated = rotation(x.expand(1, 1, 128, 8), Context())[0, 0, position]
    for i in range(4):
        angle = position * 10_000.0 ** (-2 * i / 8)
        assert rotated[i].item() == pytest.approx(
            (x[i] * math.cos(angle) - x[i + 4] * math.sin(angle)).item(), abs=1e-5
        )
        assert rotated[i + 4].item() == pytest.approx(
            (x[i + 4] * math.cos(angle) + x[i] * math.sin(angle)).item(), abs=1e-5
        )


def test_an_odd_head_cannot_be_halved():
    with pytest.raises(UserError, match="must be even, not 7"):
        GPT(n_layer=1, n_head=2, d_model=14, attention=Causal(rotary=Rope())).build(10, 4, seed=0)


# ---- attention ----


@pytest.mark.parametrize("rotary", [None, Rope()])
def test_the_training_path_is_the_fused_one_without_dropout(x_BTD, rotary):
    attention = Causal(dropout=0.0, rotary=rotary).build(32, 4, 16)
    trained, evaluated = (attention.train(mode)(x_BTD, Context()) for mode in (True, False))
    torch.testing.assert_close(trained, evaluated, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_attention_looks_back_only(x_BTD, training):
    attention = Causal(dropout=0.0).build(32, 4, 16).train(training)
    x_BTD.requires_grad_()
    attention(x_BTD, Context())[0, 4].sum().backward()
    reached = x_BTD.grad.abs().sum(-1) > 0
    assert reached[0].tolist() == [True] * 5 + [False] * 4
    assert not reached[1].any()


def test_attention_without_biases():
    attention = Causal(bias=False).build(32, 4, 16)
    assert {name for name, _ in attention.named_parameters()} == {"qkv.weight", "out.weight"}
