"""What is kept of typed titles: enough to save the work, never more than allowed."""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from sevenepochs.ask.model import Model
from sevenepochs.serve.models import PrefixCache
from sevenepochs.store.run import Run

TEXT = "Show HN: A small test of prefixes"


@pytest.fixture(scope="module")
def model(finished_run: Run) -> Model:
    return Model.load(finished_run)


def count_ids(prefixes: PrefixCache, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many ids each reading had to pass through the model."""
    counts: list[int] = []
    read_on = Model.read_on
    monkeypatch.setattr(Model, "read_on", lambda *given: counts.append(len(given[-1])) or read_on(*given))
    return counts


def test_only_new_tokens_are_read(model: Model, monkeypatch: pytest.MonkeyPatch) -> None:
    prefixes = PrefixCache(model, 10**8)
    counts = count_ids(prefixes, monkeypatch)
    context = model.encode(TEXT)
    for length in (5, 6, 9, 7, 5, len(context)):
        prefixes.places(context[:length])
    assert counts == [5, 1, 3, len(context) - 9]
    branch = context.copy()
    branch[4] = context[5]
    prefixes.places(branch)
    assert counts[-1] == len(context) - 4
    np.testing.assert_allclose(
        np.stack([row.log_probs_V for row in prefixes.places(branch)]), model.all_log_probs(branch), atol=1e-4
    )
    np.testing.assert_allclose(
        np.stack([row.log_probs_V for row in prefixes.places(context)]), model.all_log_probs(context), atol=1e-4
    )


def test_what_is_held_is_what_is_counted(model: Model) -> None:
    """A beginning of a longer title must not keep the longer one's keys and values after that was forgotten."""
    context = model.encode(TEXT)
    prefixes = PrefixCache(model, 10**8)
    for length in (len(context), 4, 9):
        prefixes.places(context[:length])
        assert held_bytes(prefixes) == prefixes.n_bytes
    alone = PrefixCache(model, 0)
    alone.places(context)
    whole = held_bytes(alone)
    alone.places(context[:4])
    assert held_bytes(alone) == alone.n_bytes == whole * 4 // len(context)


def held_bytes(prefixes: PrefixCache) -> int:
    """Bytes that tensors and rows keep alive, each storage once."""
    known = list(prefixes._known.values())
    storages = [tensor.untyped_storage() for prefix, _ in known for tensor, _ in prefix.cache._kept.values()]
    rows = {id(row): row.log_probs_V for _, places in known for row in places}
    assert all(log_probs_V.base is None for log_probs_V in rows.values())
    tensors = {storage.data_ptr(): storage.nbytes() for storage in storages}
    return sum(tensors.values()) + sum(log_probs_V.nbytes for log_probs_V in rows.values())


def test_what_is_kept_stays_bounded(model: Model) -> None:
    context = model.encode(TEXT)
    one = PrefixCache(model, 0)
    one.places(context)
    limit = 3 * one.n_bytes
    prefixes = PrefixCache(model, limit)
    generator = np.random.default_rng(0)
    for _ in range(30):
        prefixes.places(np.concatenate([context[:1], generator.integers(3, 200, len(context) - 1)]))
        assert prefixes.n_bytes <= limit


def n_calls(action: Callable[[], Any]) -> int:
    """Calls of functions while it runs: its work, whatever the machine does beside."""
    calls = 0

    def count(*_: Any) -> None:
        nonlocal calls
        calls += 1

    sys.setprofile(count)
    try:
        action()
    finally:
        sys.setprofile(None)
    return calls


def test_a_keystroke_costs_the_same_however_many_titles_are_known(model: Model) -> None:
    context = model.encode(TEXT)
    prefixes = PrefixCache(model, 10**8)
    generator = np.random.default_rng(0)
    prefixes.places(context)
    few = n_calls(lambda: prefixes.places(context))
    for _ in range(200):
        prefixes.places(np.concatenate([context[:1], generator.integers(3, 200, 5)]))
    assert n_calls(lambda: prefixes.places(context)) < 2 * few
