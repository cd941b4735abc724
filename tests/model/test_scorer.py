import numpy as np
import pytest
import torch

from sevenepochs.model import scorer as scorer_module
from sevenepochs.model.dropout import reseed
from sevenepochs.model.gpt import GPT
from sevenepochs.model.scorer import TorchScorer

IDS = np.random.default_rng(0).integers(0, 30, (5, 13))


@pytest.fixture
def model():
    return GPT(n_layer=2, n_head=2, d_model=16).build(30, 16, seed=0)


def test_log_probabilities_of_the_targets(model):
    got = TorchScorer(model).log_probs(IDS[:, :-1], IDS[:, 1:])
    with torch.no_grad():
        all_of_them = model.eval().logits(model(torch.from_numpy(IDS[:, :-1]))).log_softmax(-1).numpy()
    expected = np.take_along_axis(all_of_them, IDS[:, 1:, None], axis=-1)[..., 0]
    np.testing.assert_allclose(got, expected, atol=1e-6)
    assert got.dtype == np.float64


def test_probabilities_of_all_tokens_sum_to_one(model):
    """A scorer that cheats by not normalising would beat every honest one."""
    x_RT = np.repeat(IDS[:1, :1], 30, axis=0)
    y_RT = np.arange(30)[:, None]
    assert np.exp(TorchScorer(model).log_probs(x_RT, y_RT)).sum() == pytest.approx(1.0, abs=1e-6)


@pytest.mark.parametrize("training", [True, False])
def test_the_model_comes_back_as_it_was_and_dropout_has_no_say(model, training):
    model.train(training)
    reseed(model, 1, 1)
    first = TorchScorer(model).log_probs(IDS[:, :-1], IDS[:, 1:])
    assert model.training is training
    reseed(model, 1, 2)
    np.testing.assert_array_equal(TorchScorer(model).log_probs(IDS[:, :-1], IDS[:, 1:]), first)
    assert all(p.grad is None for p in model.parameters())


def test_the_mode_comes_back_after_an_error_too(model):
    with pytest.raises(RuntimeError):
        TorchScorer(model).log_probs(np.zeros((1, 17), dtype=np.int64), np.zeros((1, 17), dtype=np.int64))
    assert model.training


def test_pieces_of_the_logits_give_the_same(model, monkeypatch):
    whole = TorchScorer(model).log_probs(IDS[:, :-1], IDS[:, 1:])
    monkeypatch.setattr(scorer_module, "_LOGITS_AT_ONCE", 2 * 12 * 30)  # two rows at a time, then one
    np.testing.assert_allclose(TorchScorer(model).log_probs(IDS[:, :-1], IDS[:, 1:]), whole, atol=1e-6)


def test_bf16_is_near_and_not_equal(model):
    exact = TorchScorer(model, "fp32").log_probs(IDS[:, :-1], IDS[:, 1:])
    rough = TorchScorer(model, "bf16").log_probs(IDS[:, :-1], IDS[:, 1:])
    assert 0 < np.abs(exact - rough).max() < 0.05


def test_the_probability_of_a_set_of_tokens_is_the_sum_of_theirs(model):
    among = np.zeros(30, dtype=bool)
    among[[1, 4, 7]] = True
    x_RT = IDS[:, :-1]
    got = TorchScorer(model, among_V=among).log_probs(x_RT, IDS[:, 1:])
    each = [TorchScorer(model).log_probs(x_RT, np.full_like(x_RT, id)) for id in (1, 4, 7)]
    np.testing.assert_allclose(np.exp(got), np.exp(each).sum(axis=0), atol=1e-6)
