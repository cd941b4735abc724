import math

import pytest
import torch
import torch.nn.functional as F

from sevenepochs.learning.objective import CrossEntropy
from sevenepochs.model.gpt import GPT, n_matmul_parameters, n_parameters
from sevenepochs.model.init import Normal
from sevenepochs.recipes.story import baseline, rope

SMALL = GPT(n_layer=2, n_head=2, d_model=32)


def same(left, right):
    left, right = left.state_dict(), right.state_dict()
    return left.keys() == right.keys() and all(torch.equal(left[name], right[name]) for name in left)


def test_the_parameters_of_the_published_models():
    stock = baseline().build_model(16_000)
    assert n_parameters(stock) == 27_172_864
    # what multiplies on every token: 12 d^2 a block, and the head
    assert n_matmul_parameters(stock) == 6 * 12 * 512**2 + 16_000 * 512
    assert n_parameters(rope().build_model(32_000)) == 37_452_288


def test_a_fresh_model_knows_nothing():
    model = GPT().build(16_000, 128, seed=1337)
    ids = torch.randint(0, 16_000, (2, 129), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        loss = CrossEntropy().loss(model.eval(), ids[:, :-1], ids[:, 1:]).item()
    # logits have a spread of about 0.02 * sqrt(512), which costs half its square
    assert loss == pytest.approx(math.log(16_000) + 0.5 * 0.02**2 * 512, abs=0.05)


def test_initial_weights_as_stock():
    model = GPT().build(4_000, 128, seed=7)
    for name, parameter in model.named_parameters():
        if name.startswith("position") or name.endswith("bias"):
            assert (parameter == 0).all(), name
        elif "norm" in name:
            assert (parameter == 1).all(), name
        else:
            assert parameter.std().item() == pytest.approx(0.02, rel=0.02), name
            assert abs(parameter.mean().item()) < 4 * 0.02 / math.sqrt(parameter.numel()), name


def test_another_spread():
    model = GPT(n_layer=1, n_head=2, d_model=64, init=Normal(std=0.5)).build(500, 8, seed=7)
    assert model.embedding.weight.std().item() == pytest.approx(0.5, rel=0.03)


def test_the_seed_decides_the_weights_and_nothing_else_does():
    torch.manual_seed(1)
    one = SMALL.build(100, 16, seed=5)
    torch.manual_seed(2)
    assert same(one, SMALL.build(100, 16, seed=5))
    assert not same(one, SMALL.build(100, 16, seed=6))
    # golden: a published run's first weights can be made again; torch's CPU normal is stable for this
    expected = torch.empty(100, 32).normal_(0.0, 0.02, generator=torch.Generator().manual_seed(5))
    assert torch.equal(one.embedding.weight, expected)


def test_the_head_is_the_embedding():
    model = SMALL.build(100, 16, seed=5)
    h_BTD = torch.randn(2, 3, 32)
    torch.testing.assert_close(model.logits(h_BTD), h_BTD @ model.embedding.weight.T)
    assert sum(p.data_ptr() == model.embedding.weight.data_ptr() for p in model.parameters()) == 1
    with torch.no_grad():
        model.embedding.weight[7] += 1.0
    torch.testing.assert_close(model.logits(h_BTD), h_BTD @ model.embedding.weight.T)
    model.logits(model(torch.tensor([[7, 8]]))).sum().backward()
    assert (model.embedding.weight.grad[50] != 0).any()  # through the head: token 50 was no input


def test_the_whole_model_written_out():
    """The forward pass against plain formulas: pre-norm blocks, exact GELU, final norm, tied head."""
    model = SMALL.build(50, 16, seed=5).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(9)))
    ids = torch.randint(0, 50, (3, 11), generator=torch.Generator().manual_seed(0))
    w = model.state_dict()
    h = w["embedding.weight"][ids] + w["position.weight_TD"][:11]
    for block in range(2):
        at, ff = f"blocks.{block}.attention", f"blocks.{block}.mlp"
        x = F.layer_norm(h, (32,), w[f"{at}_norm.weight"], w[f"{at}_norm.bias"])
        q, k, v = (x @ w[f"{at}.qkv.weight"].T + w[f"{at}.qkv.bias"]).split(32, dim=-1)
        heads = []
        for head in range(2):
            at_head = slice(16 * head, 16 * head + 16)
            scores = q[..., at_head] @ k[..., at_head].mT / math.sqrt(16)
            scores = scores + torch.full((11, 11), float("-inf")).triu(1)
            heads.append(scores.softmax(-1) @ v[..., at_head])
        h = h + torch.cat(heads, dim=-1) @ w[f"{at}.out.weight"].T + w[f"{at}.out.bias"]
        x = F.layer_norm(h, (32,), w[f"{ff}_norm.weight"], w[f"{ff}_norm.bias"])
        x = x @ w[f"{ff}.up.weight"].T + w[f"{ff}.up.bias"]
        x = 0.5 * x * (1 + torch.erf(x / math.sqrt(2)))
        h = h + x @ w[f"{ff}.down.weight"].T + w[f"{ff}.down.bias"]
    h = F.layer_norm(h, (32,), w["norm.weight"], w["norm.bias"])
    torch.testing.assert_close(model.logits(model(ids)), h @ w["embedding.weight"].T, rtol=1e-4, atol=1e-4)


def test_the_objective_is_the_mean_over_tokens():
    model = SMALL.build(50, 16, seed=5).eval()
    ids = torch.randint(0, 50, (3, 12), generator=torch.Generator().manual_seed(0))
    x_BT, y_BT = ids[:, :-1], ids[:, 1:]
    log_probs = model.logits(model(x_BT)).log_softmax(-1)
    nats = [-log_probs[b, t, y_BT[b, t]] for b in range(3) for t in range(11)]
    torch.testing.assert_close(CrossEntropy().loss(model, x_BT, y_BT), sum(nats) / 33)
    assert CrossEntropy.passes_per_token == 1
