import math

import numpy as np
import pytest
import torch

from sevenepochs.errors import UserError
from sevenepochs.model.dropout import Dropout, keep_mask, reseed
from sevenepochs.model.gpt import GPT

KEY = torch.tensor([123456789, -987654321], dtype=torch.int32)
N = 1 << 18


def mask(p, key=KEY, n=N):
    return keep_mask(torch.empty(n), key, p)


def keys_of(model, seed, step):
    reseed(model, seed, step)
    return [tuple(m.key.tolist()) for m in model.modules() if isinstance(m, Dropout)]


# ---- the mask ----


def mixer_again(h):
    """lowbias32 on uint32, as its author wrote it (hash-prospector)."""
    h ^= h >> np.uint32(16)
    h *= np.uint32(0x7FEB352D)
    h ^= h >> np.uint32(15)
    h *= np.uint32(0x846CA68B)
    h ^= h >> np.uint32(16)
    return h


@pytest.mark.parametrize("key", [(0, 0), (1, 2), (-1, -1), (-(2**31), 2**31 - 1), (123456789, -987654321)])
@pytest.mark.parametrize("p", [0.0, 0.1, 0.5, 0.999])
def test_the_signed_hash_is_the_unsigned_reference(key, p):
    k = np.array(key, dtype=np.int32).view(np.uint32)
    h = mixer_again(mixer_again(np.arange(100_000, dtype=np.uint32) ^ k[0]) ^ k[1])
    expected = (h & np.uint32(0xFFFFFF)) >= round(p * 2**24)
    got = mask(p, torch.tensor(key, dtype=torch.int32), 100_000)
    np.testing.assert_array_equal(got.numpy(), expected)


def test_the_mask_is_a_function_of_key_and_index_alone():
    torch.manual_seed(0)
    one = keep_mask(torch.randn(8, 16, 32), KEY, 0.3)
    torch.manual_seed(99)
    torch.rand(1000)
    two = keep_mask(torch.zeros(8, 16, 32), KEY, 0.3)
    assert torch.equal(one, two)
    assert torch.equal(keep_mask(torch.empty(4096), KEY, 0.3).view(8, 16, 32), one)


@pytest.mark.parametrize("p", [0.01, 0.1, 0.5, 0.9])
def test_the_rate(p):
    dropped = (~mask(p)).sum().item()
    assert abs(dropped - p * N) < 4.5 * math.sqrt(N * p * (1 - p))


def chi_square(counts, expected):
    return sum((c - e) ** 2 / e for c, e in zip(counts, expected, strict=True))


@pytest.mark.parametrize("distance", [1, 2, 3, 64, 128, 512, 4096])
def test_elements_are_independent_of_their_neighbours(distance):
    """Pairs at distances that matter: the next element, head, row and sequence. 4 cells, 3 free: 99.99 % below 21."""
    p, drop = 0.1, (~mask(0.1)).int()
    pairs = 2 * drop[:-distance] + drop[distance:]
    counts = torch.bincount(pairs, minlength=4).tolist()
    n = sum(counts)
    assert chi_square(counts, [n * (1 - p) ** 2, n * p * (1 - p), n * (1 - p) * p, n * p * p]) < 21


@pytest.mark.parametrize(
    "other",
    [
        (123456789, -987654322),  # one bit of the second key
        (123456788, -987654321),  # one bit of the first
        (-987654321, 123456789),  # swapped
        (0, 0),
    ],
)
def test_sites_and_steps_are_independent(other):
    p = 0.1
    together = 2 * (~mask(p)).int() + (~mask(p, torch.tensor(other, dtype=torch.int32))).int()
    counts = torch.bincount(together, minlength=4).tolist()
    assert chi_square(counts, [N * (1 - p) ** 2, N * p * (1 - p), N * (1 - p) * p, N * p * p]) < 21


def test_an_elements_fate_over_steps():
    """One element over many steps is dropped at the rate too, and so is each of its neighbours."""
    model = torch.nn.Sequential(Dropout(0.1), Dropout(0.1))
    dropped = torch.zeros(64)
    agree = 0
    for step in range(1, 2001):
        keys = [torch.tensor(key, dtype=torch.int32) for key in keys_of(model, 1337, step)]
        first, second = (~mask(0.1, key, 64) for key in keys)
        dropped += first
        agree += (first & second).sum().item()
    assert ((dropped - 200).abs() < 4.5 * math.sqrt(180)).all()
    n = 2000 * 64
    assert abs(agree - 0.01 * n) < 4.5 * math.sqrt(n * 0.01 * 0.99)


# ---- the module ----


@pytest.mark.parametrize("p", [0.1, 0.5])
def test_what_is_kept_is_scaled(p):
    dropout = Dropout(p)
    dropout.key.copy_(KEY)
    x = torch.randn(N, generator=torch.Generator().manual_seed(0)) + 2
    y = dropout(x)
    kept = y != 0
    torch.testing.assert_close(y[kept], x[kept] / (1 - p))
    assert y.mean().item() == pytest.approx(x.mean().item(), rel=0.01)


def test_gradients_pass_where_values_do():
    dropout = Dropout(0.5)
    x = torch.ones(1000, requires_grad=True)
    y = dropout(x)
    y.sum().backward()
    assert torch.equal(x.grad, y.detach())


def test_evaluation_is_the_identity():
    x = torch.randn(10)
    assert Dropout(0.9).eval()(x) is x
    assert Dropout(0.0)(x) is x


@pytest.mark.parametrize("name", ["embedding_dropout", "output_dropout"])
@pytest.mark.parametrize("p", [-0.1, 1.0, 1.5, float("nan")])
def test_rates_outside_the_range(p, name):
    with pytest.raises(UserError, match=name):
        GPT(**{name: p})


def test_output_dropout_falls_on_what_the_head_reads_and_leaves_other_sites_their_masks():
    plain, dropped = (
        GPT(n_layer=2, n_head=2, d_model=16, output_dropout=p).build(20, 8, seed=0).train() for p in (0.0, 0.25)
    )
    x_BT = torch.arange(16).view(2, 8)
    for model in (plain, dropped):
        reseed(model, 1337, 3)
    whole_BTD, h_BTD = plain(x_BT), dropped(x_BT)
    kept = h_BTD != 0
    torch.testing.assert_close(h_BTD[kept], whole_BTD[kept] / 0.75)
    assert 0 < int((~kept).sum()) < 128  # a quarter of 256, give or take
    torch.testing.assert_close(dropped.eval()(x_BT), plain.eval()(x_BT))


# ---- keys ----


def test_every_site_step_and_seed_has_a_key_of_its_own():
    model = GPT(n_layer=3, n_head=2, d_model=16).build(20, 8, seed=0)
    n_sites = 1 + 3 * 3  # the embedding; attention weights, attention branch and MLP branch of each block
    keys = [key for seed in (1337, 1338) for step in (1, 2, 3, 938) for key in keys_of(model, seed, step)]
    assert len(keys) == len(set(keys)) == 8 * n_sites
    assert keys_of(model, 1337, 2) == keys[n_sites : 2 * n_sites]  # and comes back with them


def test_keys_are_no_part_of_the_weights():
    assert not any("key" in name for name in GPT(n_layer=1, n_head=2, d_model=16).build(20, 8, seed=0).state_dict())


@pytest.mark.long
def test_compiled_code_drops_the_same_elements():
    dropout = Dropout(0.1)
    dropout.key.copy_(KEY)
    x = torch.randn(64, 128, 16)
    compiled = torch.compile(lambda x: dropout(x) * 2)
    assert torch.equal(compiled(x), dropout(x) * 2)
    dropout.key.copy_(torch.tensor([5, 6], dtype=torch.int32))  # a new step without a new compilation
    assert torch.equal(compiled(x), dropout(x) * 2)


@pytest.mark.long
def test_a_compiled_training_loss_and_its_gradients_are_the_eager_ones():
    from sevenepochs.learning.objective import CrossEntropy
    from sevenepochs.training.step import loss_function

    model = GPT(n_layer=2, n_head=2, d_model=16).build(50, 16, seed=0)
    ids = torch.randint(0, 50, (4, 17), generator=torch.Generator().manual_seed(0))
    eager, compiled, graphs = (
        loss_function(CrossEntropy(), model, "fp32", *how) for how in ((False,), (True,), (True, True))
    )
    for step in (1, 2):
        reseed(model, 1337, step)
        found = []
        for loss_of in (eager, compiled, graphs):
            model.zero_grad(set_to_none=True)
            loss = loss_of(ids[:, :-1], ids[:, 1:])
            loss.backward()
            found.append([loss.detach(), *(parameter.grad for parameter in model.parameters())])
        torch.testing.assert_close(found[1], found[0])
        torch.testing.assert_close(found[2], found[0])
