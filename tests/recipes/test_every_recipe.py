"""What holds for every recipe, also for the ones that nobody has written yet: sizes are made tiny, the parts stay.

Recipes that are equal when they are tiny are checked once (conftest.py: `small_model`, `small_step`)."""

import dataclasses
import json
import math

import numpy as np
import pytest
import torch

from sevenepochs.config import Config
from sevenepochs.experiment import Experiment
from sevenepochs.model import attention
from sevenepochs.model.dropout import Dropout, reseed
from sevenepochs.model.norm import LayerNorm
from sevenepochs.model.scorer import TorchScorer
from sevenepochs.protocol.scoring import causality_violation, exact_log_probs
from sevenepochs.recipes.catalog import load_recipe
from sevenepochs.recipes.listing import list_recipes
from sevenepochs.training.step import build_optimizer, loss_function, training_step

RECIPES = [recipe.name for recipe in list_recipes()]
SCORED_TOKENS = 600


@pytest.fixture(params=RECIPES)
def recipe(request):
    return load_recipe(request.param)


@pytest.fixture(scope="module")
def data(tiny):
    return tiny.load_data()


def loud(model):
    """Large random weights: in a fresh model everything is near zero, and a leak would be too."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    return model


def violation(experiment, data):
    # ends inside a title, as the part that the certificate scores may
    ids_N, eos_id = data.validation.ids_N[:-1][:SCORED_TOKENS], data.tokenizer.eos_id
    model = loud(experiment.build_model(data.tokenizer.vocab_size, data.tokenizer.texts()))
    return causality_violation(TorchScorer(model), ids_N, eos_id, experiment.batches.scoring_rows(ids_N, eos_id))


def scores(experiment, data, reseed_with):
    """Log-probabilities of the validation stream, twice from one model."""
    model = loud(experiment.build_model(data.tokenizer.vocab_size, data.tokenizer.texts()))
    for step in reseed_with:
        reseed(model, seed=1, step=step)
        yield exact_log_probs(
            TorchScorer(model), data.validation.ids_N, data.tokenizer.eos_id, experiment.scoring_rows(data)
        )


def without_dropout(config):
    """The same config with every dropout rate at zero, found by its name."""
    changes = {}
    for field in dataclasses.fields(config):
        value = getattr(config, field.name)
        if "dropout" in field.name and isinstance(value, float):
            changes[field.name] = 0.0
        elif isinstance(value, Config):
            changes[field.name] = without_dropout(value)
    return dataclasses.replace(config, **changes)


def assert_evaluation_is_deterministic(experiment, data):
    first, second = scores(experiment, data, reseed_with=(1, 2))
    np.testing.assert_array_equal(first, second)
    (quiet,) = scores(without_dropout(experiment), data, reseed_with=(1,))
    np.testing.assert_array_equal(first, quiet)


def test_there_are_recipes():
    assert {"baseline", "adamw", "rope"} <= set(RECIPES)


@pytest.mark.parametrize(
    ("fixture", "slots"),
    [
        ("small_model", ("model", "batches", "training")),
        ("small_step", ("model", "batches", "training", "objective", "optimizer")),
    ],
)
def test_no_recipe_is_left_out(fixture, slots, distinct, shrink):
    assert sorted(name for names in distinct[fixture] for name in names) == sorted(RECIPES)
    for names, small in distinct[fixture].items():
        for name in names:
            assert all(getattr(shrink(load_recipe(name)), slot) == getattr(small, slot) for slot in slots), name


def test_its_config_round_trips(recipe):
    assert Experiment.from_dict(json.loads(json.dumps(recipe.to_dict(), allow_nan=False))) == recipe


def test_it_keeps_the_protocols_epochs_and_seed(recipe):
    assert (recipe.training.epochs, recipe.training.seed) == (7, 1337)


def test_its_docstring_is_a_sentence_or_a_short_paragraph_below_one():
    for recipe in list_recipes():
        first, *rest = recipe.docstring.splitlines()
        assert first.endswith(".") and len(rest) <= 3 and rest[:1] in ([], [""]), recipe.name


def test_it_is_causal(small_model, data):
    assert violation(small_model, data) < 1e-4


def test_its_evaluation_is_deterministic(small_model, data):
    assert_evaluation_is_deterministic(small_model, data)


def test_its_scoring_rows_give_every_target_once(small_model, data):
    (log_probs_N,) = scores(small_model, data, reseed_with=(1,))
    assert np.isfinite(log_probs_N).all() and (log_probs_N < 0).all()


def test_read_in_pieces_it_is_the_same(small_model, data):
    """Through the key/value cache, as samplers and the page read."""
    model = loud(small_model.build_model(data.tokenizer.vocab_size, data.tokenizer.texts())).eval()
    ids = torch.from_numpy(data.validation.ids_N[:40].astype(np.int64)).view(2, 20)
    cache = model.new_cache(2)
    with torch.no_grad():
        pieces = torch.cat([model(piece, cache) for piece in ids.split([1, 6, 13], dim=1)], dim=1)
        # random weights this large make hidden states of some tens
        torch.testing.assert_close(pieces, model(ids), rtol=1e-3, atol=1e-3)


def test_two_steps_are_finite_and_begin_at_chance(small_step, data):
    model = small_step.build_model(data.tokenizer.vocab_size, data.tokenizer.texts()).train()
    optimizer = build_optimizer(small_step.optimizer, model)
    batches = small_step.build_batches(data)
    loss_of = loss_function(small_step.objective, model, "fp32", compiled=False)
    # these titles come without facts
    trained = [p for name, p in model.named_parameters() if not name.startswith("facts.")]
    before = [p.detach().clone() for p in trained]
    losses = []
    for step in (1, 2):
        x_BT, y_BT = map(torch.from_numpy, batches.batch(step))
        result = training_step(
            model, loss_of, optimizer, x_BT, y_BT, step=step, seed=1337, lr_multiplier=1.0, grad_clip=1.0
        )
        assert math.isfinite(result.loss) and math.isfinite(result.grad_norm) and result.grad_norm > 0
        losses.append(result.loss)
    assert losses[0] == pytest.approx(math.log(data.tokenizer.vocab_size), abs=0.3)
    moved = [not torch.equal(p, old) for p, old in zip(trained, before, strict=True)]
    assert all(moved), "a parameter that no gradient reaches"


# ---- the checks above, seen failing ----


def test_attention_that_looks_ahead_is_caught(tiny, data, monkeypatch):
    fused = attention.F.scaled_dot_product_attention
    monkeypatch.setattr(attention.F, "scaled_dot_product_attention", lambda q, k, v, is_causal: fused(q, k, v))
    assert violation(tiny, data) > 1e-3


def test_rows_that_leak_through_batch_statistics_are_caught(tiny, data, monkeypatch):
    class BatchNorm(torch.nn.Module):
        def forward(self, x_BTD):
            return (x_BTD - x_BTD.mean((0, 1))) / x_BTD.std((0, 1))

    monkeypatch.setattr(LayerNorm, "build", lambda self, d_model: BatchNorm())
    assert violation(tiny, data) > 1e-3


def test_dropout_left_on_in_evaluation_is_caught(tiny, data, monkeypatch):
    forward = Dropout.forward

    def always(self, x):
        self.training = True
        return forward(self, x)

    monkeypatch.setattr(Dropout, "forward", always)
    with pytest.raises(AssertionError):
        assert_evaluation_is_deterministic(tiny, data)
