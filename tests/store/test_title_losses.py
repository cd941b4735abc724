"""Losses by title: sums to titles, and the compact form that results keep."""

import json

import numpy as np
import pytest

from sevenepochs.errors import UserError
from sevenepochs.store.title_losses import Grouping, TitleLosses, by_title


def some(n: int = 1000) -> TitleLosses:
    rng = np.random.default_rng(0)
    grouping = Grouping("digits", ("with", "without"), rng.integers(0, 2, n))
    nats = rng.gamma(4, 20, n)
    return TitleLosses(nats, rng.integers(10, 86, n), nats + rng.normal(0, 1, n), {"digits": grouping})


def test_the_compact_form_keeps_titles_to_a_32nd_and_the_exact_loss_to_a_hair() -> None:
    losses = some()
    text = json.dumps(losses.to_json())
    back = TitleLosses.from_json(json.loads(text), "x.json")
    assert len(text) < 10_000
    assert np.abs(back.nats - losses.nats).max() <= 1 / 32
    assert back.nats_stock_rows is not None and losses.nats_stock_rows is not None
    assert np.abs(back.nats_stock_rows - losses.nats_stock_rows).max() <= 1 / 32
    assert abs(back.nats.sum() - losses.nats.sum()) <= 1 / 64 + 1e-9
    for low, high in ((0, 10), (200, 900)):  # any stretch of titles, not the total alone
        assert abs(back.nats[low:high].sum() - losses.nats[low:high].sum()) <= 1 / 32 + 1e-9
    assert np.array_equal(back.n_chars, losses.n_chars)
    assert back.groupings["digits"].kinds == ("with", "without")
    assert np.array_equal(back.groupings["digits"].of_title, losses.groupings["digits"].of_title)


def test_stock_rows_are_not_written_twice_and_unknown_ones_stay_unknown() -> None:
    losses = some()
    same = TitleLosses(losses.nats, losses.n_chars, losses.nats.copy())
    back = TitleLosses.from_json(same.to_json(), "x.json")
    assert same.to_json()["nats_stock_rows"] == "nats" and back.nats_stock_rows is back.nats
    none = TitleLosses(losses.nats, losses.n_chars)
    assert TitleLosses.from_json(none.to_json(), "x.json").nats_stock_rows is None


def test_losses_beyond_16_bits_survive() -> None:
    huge = TitleLosses(np.array([3e4, 1.0]), np.array([10_005, 6]))
    assert np.abs(TitleLosses.from_json(huge.to_json(), "x").nats - huge.nats).max() <= 1 / 32


@pytest.mark.parametrize(
    "damage",
    [
        lambda d: d.pop("n_chars"),
        lambda d: d.update(nats=d["nats"][:-8]),
        lambda d: d.update(nats="<f8:AAAA"),
        lambda d: d.update(n_titles=999),
        lambda d: d.update(groupings=[]),
    ],
)
def test_damage_is_named(damage) -> None:  # type: ignore[no-untyped-def]
    data = some().to_json()
    damage(data)
    with pytest.raises(UserError, match=r"x\.json is damaged"):
        TitleLosses.from_json(data, "x.json")


def test_a_title_with_a_literal_eos_is_put_together_again() -> None:
    pieces = np.array([1.0, 2.0, 4.0, 8.0, 16.0])
    assert by_title(pieces, ("a", "b <eos> c <eos>", "d"), "<eos>").tolist() == [1.0, 14.0, 16.0]
    assert by_title(pieces[:2], ("a", "b <eos> c"), "<eos>").tolist() == [1.0, 2.0]  # read as text by its tokenizer
    with pytest.raises(UserError, match="losses of 5 titles, its corpus has 2"):
        by_title(pieces, ("a", "b"), "<eos>")
