"""Layer by layer: sums over batches are those of one title after the other, and the last lens is the model."""

import json
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sevenepochs.ask.inside import attention_maps
from sevenepochs.ask.model import Model
from sevenepochs.questions.layers import N_TITLES, compute
from sevenepochs.store.run import Run

SHARES = ("eos_share", "previous_share", "self_share")


@pytest.fixture(scope="module")
def model(finished_run: Run) -> Model:
    return Model.load(finished_run)


@pytest.fixture(scope="module")
def titles(model: Model) -> tuple[str, ...]:
    """Short and long ones, an empty one, and one that is longer than the model reads at once."""
    return (*model.load_titles().train[:40], "", "Why", "a " * 200)


def answer(model: Model, titles: Sequence[str], progress: Callable[..., object] = lambda *told: None) -> dict[str, Any]:
    """What `compute` answers for a model on these validation titles."""
    data = SimpleNamespace(split=SimpleNamespace(validation=titles))
    return compute(SimpleNamespace(model=model, data=data, progress=progress))


def test_the_last_lens_loses_what_the_model_loses(model: Model, titles: tuple[str, ...]) -> None:
    found = answer(model, titles)
    contexts = [[*model.encode(title), model.eos_id][: model.block_size + 1] for title in titles]
    log_probs = np.concatenate(model.log_probs_of(contexts))
    assert [row["name"] for row in found["lens"]] == ["embedding", "block 1", "block 2"]
    assert found["lens"][-1]["nats_per_token"] == pytest.approx(-log_probs.mean(), abs=1e-4)
    assert found["lens"][0]["nats_per_token"] > found["lens"][-1]["nats_per_token"] + 0.01
    assert found["n_tokens"] == len(log_probs) and found["n_titles"] == len(titles)


def test_heads_are_the_mean_over_titles_of_what_each_shows(model: Model, titles: tuple[str, ...]) -> None:
    found = answer(model, titles[:40])
    maps = [attention_maps(model, title) for title in titles[:40]]
    n_queries = np.array([len(one["tokens"]) - 1 for one in maps])
    for name, key in zip((*SHARES, "mean_distance"), ("first_share", *SHARES[1:], "mean_distance"), strict=True):
        each = np.array([[head[key] for head in one["heads"]] for one in maps])
        mean = (each * n_queries[:, None]).sum(0) / n_queries.sum()
        assert np.array(found["heads"][name]).ravel() == pytest.approx(mean, abs=1e-3)
    for key in ("share", "mean_distance"):
        mean = sum(one["even"][key] * n for one, n in zip(maps, n_queries, strict=True)) / n_queries.sum()
        assert found["even"][key] == pytest.approx(mean)


def test_shares_are_shares(model: Model, titles: tuple[str, ...]) -> None:
    found = answer(model, titles)
    for name in SHARES:
        assert np.shape(found["heads"][name]) == (2, 2) and 0 < np.min(found["heads"][name]) < 1
    # the token before a title's first one is the <eos>; but for that the three never overlap
    total = np.sum([found["heads"][name] for name in SHARES], axis=0)
    assert (total <= 1 + len(titles) / (found["n_tokens"] - len(titles))).all()


def test_it_is_small_tells_how_far_it_is_and_reads_no_more_than_it_says(model: Model) -> None:
    told: list[tuple[int, int]] = []
    found = answer(model, ("Why",) * (N_TITLES + 9), lambda done, total: told.append((done, total)))
    assert found["n_titles"] == N_TITLES and told[-1] == (N_TITLES, N_TITLES) and len(told) > 10
    assert len(json.dumps(found, indent=1)) < 10_000


@pytest.mark.parametrize(
    "batched", [lambda r, c: r.activations(c), lambda r, c: [r.activations([one])[0] for one in c]]
)
def test_padding_moves_nothing(batched: Callable, model: Model, titles: tuple[str, ...]) -> None:  # type: ignore[type-arg]
    contexts = [model.encode(title) for title in titles[:5]]
    for context, trace in zip(contexts, batched(model, contexts), strict=True):
        assert trace.ids_T.tolist() == context.tolist()
        assert trace.attention_LHTS.shape == (2, 2, len(context), len(context))
        *_, last_TV = model.lens(trace.hidden_LTD)
        np.testing.assert_allclose(last_TV, model.all_log_probs(context), atol=1e-4)
