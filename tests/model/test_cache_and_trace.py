"""Reading a row in pieces equals reading it at once, and a trace shows what the pass computed."""

import pytest
import torch

from sevenepochs.model.attention import Causal, HeadGate, ValueResidual
from sevenepochs.model.gpt import GPT
from sevenepochs.model.position import NoPosition, Rope
from sevenepochs.model.skip import X0, UNet
from sevenepochs.model.titles import Titles

EOS = 1
MODELS = {
    "learned": GPT(n_layer=3, n_head=2, d_model=16),
    "rope": GPT(n_layer=3, n_head=2, d_model=16, position=NoPosition(), attention=Causal(rotary=Rope())),
    "none": GPT(n_layer=3, n_head=2, d_model=16, position=NoPosition()),
    "titles": GPT(n_layer=3, n_head=2, d_model=16, titles=Titles()),
    "everything": GPT(
        n_layer=4, n_head=2, d_model=16, titles=Titles(), skip=UNet(initial=0.5),
        attention=Causal(rotary=Rope(), value_residual=ValueResidual(), gate=HeadGate()),
    ),
    "x0": GPT(n_layer=3, n_head=2, d_model=16, skip=X0()),
}  # fmt: skip


@pytest.fixture(params=MODELS)
def model(request):
    """Large random weights, so that every part has a say."""
    model = MODELS[request.param].build(30, 24, seed=0)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model.eval()


@pytest.fixture
def ids():
    ids = torch.randint(2, 30, (3, 20), generator=torch.Generator().manual_seed(1))
    ids[0, [0, 4, 5, 11]] = ids[1, [7, 13]] = EOS  # titles end at other places in each row, and one is empty
    return ids


@pytest.mark.parametrize("cuts", [[1] * 20, [7, 1, 12], [20], [3, 2, 15]], ids=str)
@torch.no_grad()
def test_in_pieces_is_at_once(model, ids, cuts):
    cache = model.new_cache(3)
    pieces = [model(piece, cache) for piece in ids.split(cuts, dim=1)]
    torch.testing.assert_close(torch.cat(pieces, dim=1), model(ids), rtol=1e-4, atol=1e-5)
    assert cache.length == 20


@torch.no_grad()
def test_a_cache_is_not_confused_with_another(model, ids):
    one, other = model.new_cache(3), model.new_cache(3)
    model(ids[:, :9], one)
    model(ids.flip(1)[:, :5], other)
    torch.testing.assert_close(model(ids[:, 9:], one), model(ids)[:, 9:], rtol=1e-4, atol=1e-5)


@torch.no_grad()
def test_a_cache_can_be_forked_shortened_and_thinned_out(model, ids):
    whole = model(ids)
    cache = model.new_cache(3)
    model(ids[:, :12], cache)
    n_bytes = cache.n_bytes
    for variant, rows, seen in (
        (cache.fork(), [0, 1, 2], 12),
        (cache.first(4), [0, 1, 2], 4),
        (cache.first(4).compact(), [0, 1, 2], 4),
        (cache.rows(torch.tensor([2, 0, 2, 1])), [2, 0, 2, 1], 12),
        (cache.first(7).rows(torch.tensor([1])), [1], 7),
        (cache.first(0), [0, 1, 2], 0),
    ):
        assert variant.n_bytes * 12 * 3 == n_bytes * len(rows) * seen
        torch.testing.assert_close(model(ids[rows, seen:], variant), whole[rows, seen:], rtol=1e-4, atol=1e-5)
        assert variant.length == 20 and cache.length == 12 and cache.n_bytes == n_bytes  # the original is as it was
    torch.testing.assert_close(model(ids[:, 12:], cache), whole[:, 12:], rtol=1e-4, atol=1e-5)
    with pytest.raises(ValueError, match="20 tokens, not 21"):
        cache.first(21)


@torch.no_grad()
def test_a_cache_refuses_what_does_not_continue_it(model, ids):
    cache = model.new_cache(3)
    model(ids, cache)
    with pytest.raises(ValueError, match=r"20 tokens .* 5 more .* 24"):
        model(ids[:, :5], cache)
    with pytest.raises(ValueError, match="3 rows, not 2"):
        model(ids[:2, :1], cache)
    assert cache.length == 20
    with pytest.raises(AssertionError, match="evaluation"):
        model.train()(ids[:, :1], cache)


def test_a_trace_ends_where_the_model_does(model, ids):
    model.train()
    trace = model.trace(ids)
    assert model.training  # put back
    n_layer = len(model.blocks)
    assert len(trace.hidden_BTD) == n_layer + 1 and len(trace.attention_BHTS) == n_layer
    model.eval()
    torch.testing.assert_close(model.norm(trace.hidden_BTD[-1]), model(ids), rtol=1e-4, atol=1e-5)
    assert not trace.hidden_BTD[0].requires_grad
    for weights_BHTS in trace.attention_BHTS:
        assert weights_BHTS.shape == (3, 2, 20, 20)
        torch.testing.assert_close(weights_BHTS.sum(-1), torch.ones(3, 2, 20))
        assert (weights_BHTS.triu(1) == 0).all()


def test_the_traced_attention_stays_in_its_title(ids):
    """Written out: which positions belong together when `<eos>` stands at 0, 4, 5 and 11."""
    titles = [0] * 4 + [1] + [2] * 6 + [3] * 9
    (weights_BHTS, *_) = MODELS["titles"].build(30, 24, seed=0).trace(ids).attention_BHTS
    seen_TS = weights_BHTS[0, 0] > 0
    expected = torch.tensor([[s <= t and titles[s] == titles[t] for s in range(20)] for t in range(20)])
    assert torch.equal(seen_TS, expected)


ROTARY = {"position": NoPosition(), "attention": Causal(rotary=Rope())}


@pytest.mark.parametrize(
    ("slots", "same"), [({"titles": Titles(), **ROTARY}, True), ({"titles": Titles()}, False), (ROTARY, False)]
)
@torch.no_grad()
def test_with_mask_and_rope_a_title_is_the_same_wherever_it_stands(slots, same):
    """So positions need not restart with each title."""
    together = torch.tensor([[EOS, 7, 8, 9, EOS, 10, 11]])
    model = GPT(n_layer=2, n_head=2, d_model=16, **slots).build(30, 24, seed=0).eval()
    generator = torch.Generator().manual_seed(0)
    for parameter in model.parameters():
        parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    assert torch.allclose(model(together)[:, 4:], model(together[:, 4:]), atol=1e-5) is same
