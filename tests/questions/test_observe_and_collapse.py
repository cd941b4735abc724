"""The pass over validation and the collapse check, on planted models: distributions are computed here, not learnt."""

import math
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sevenepochs.ask.predictions import Distributions, Predictions, predict_stream
from sevenepochs.data.tokenizer.base import Tokenizer
from sevenepochs.protocol.rows import Rows, stock_rows
from sevenepochs.questions import calibration, collapse
from sevenepochs.questions.stream import PairTable

VOCAB, EOS_ID = 50, 1


@pytest.fixture(scope="module")
def streams() -> tuple[np.ndarray, np.ndarray]:
    """Training and validation ids of a chain in which the token before tells much about the next, some 3 bits."""
    random = np.random.default_rng(0)
    successors = random.integers(0, VOCAB, size=(VOCAB, 4))
    unigram = 1 / (np.arange(VOCAB) + 2.0)

    def stream(n: int) -> np.ndarray:
        ids = [EOS_ID]
        for _ in range(n):
            free = random.random() < 0.3
            ids.append(random.choice(VOCAB, p=unigram / unigram.sum()) if free else random.choice(successors[ids[-1]]))
        return np.array(ids[1:], dtype=np.int32)

    return stream(20_000), stream(3_000)


class _Shown(Tokenizer):
    """Ids as their own text."""

    def __init__(self) -> None:
        self.eos_id, self.vocab_size = EOS_ID, VOCAB

    def show(self, id: int) -> str:
        return f" {id}"


def frequencies_of(train_ids: np.ndarray) -> np.ndarray:
    return PairTable.count(train_ids, VOCAB, EOS_ID).frequencies_V


def planted(table_VV: np.ndarray) -> Distributions:
    """A model that answers with the row of the last token."""

    def distributions(x_RT: np.ndarray) -> Iterator[np.ndarray]:
        for row_T in x_RT:
            yield np.log(table_VV[row_T]).astype(np.float32)[None]

    return distributions


def pair_probabilities(pairs: PairTable) -> np.ndarray:
    """p(b | a) as a dense table, from the sparse one."""
    rows = [np.exp(pairs.log_probs(np.array([a, b]), EOS_ID))[1] for a in range(VOCAB) for b in range(VOCAB)]
    return np.array(rows).reshape(VOCAB, VOCAB)


def check(streams: tuple[np.ndarray, np.ndarray], table_VV: np.ndarray) -> dict[str, Any]:
    train, validation = streams
    pairs = PairTable.count(train, VOCAB, EOS_ID)
    observed = predict_stream(planted(table_VV), validation, EOS_ID, stock_rows(len(validation)), pairs.frequencies_V)
    data = SimpleNamespace(tokenizer=_Shown())
    return collapse.compute(SimpleNamespace(observed=observed, pairs=pairs, ids_N=validation, data=data))


def test_a_frequency_table_is_flagged(streams: tuple[np.ndarray, np.ndarray]) -> None:
    found = check(streams, np.tile(frequencies_of(streams[0]), (VOCAB, 1)))
    assert found["verdict"] == "frequency_alone" and found["flagged"] is True
    assert found["information_bits"] == pytest.approx(0, abs=1e-5)
    assert found["mean_to_frequency_bits"] == pytest.approx(0, abs=1e-5)
    assert found["gain_bits"] == pytest.approx(0, abs=1e-5)
    assert found["n_distinct_top"] == 1


def test_a_frequency_table_that_is_hardly_stirred_is_flagged(streams: tuple[np.ndarray, np.ndarray]) -> None:
    train, _ = streams
    pairs = pair_probabilities(PairTable.count(train, VOCAB, EOS_ID))
    found = check(streams, 0.1 * pairs + 0.9 * frequencies_of(train))
    assert found["verdict"] == "frequency_alone" and found["information_bits"] > 0


def test_a_uniform_model_is_flagged_otherwise(streams: tuple[np.ndarray, np.ndarray]) -> None:
    rare = np.zeros_like(streams[0])  # a corpus of one token: uniform is far from its frequencies
    found = check((rare, streams[1]), np.full((VOCAB, VOCAB), 1 / VOCAB))
    assert found["verdict"] == "same_everywhere" and found["flagged"] is True
    assert found["mean_entropy_bits"] == pytest.approx(math.log2(VOCAB), abs=1e-5)


def test_a_model_that_reads_the_last_token_is_not_flagged(streams: tuple[np.ndarray, np.ndarray]) -> None:
    pairs = pair_probabilities(PairTable.count(streams[0], VOCAB, EOS_ID))
    assert pairs.sum(axis=1) == pytest.approx(np.ones(VOCAB))
    weaker = check(streams, 0.6 * pairs + 0.4 * frequencies_of(streams[0]))
    assert weaker["verdict"] == "less_than_pairs" and weaker["flagged"] is False
    sharper = check(streams, pairs**1.1 / (pairs**1.1).sum(axis=1, keepdims=True))
    assert sharper["verdict"] == "uses_context" and sharper["flagged"] is False


def test_a_model_that_moves_to_no_avail_is_flagged(streams: tuple[np.ndarray, np.ndarray]) -> None:
    pairs = pair_probabilities(PairTable.count(streams[0], VOCAB, EOS_ID))
    found = check(streams, np.roll(pairs, 17, axis=0))
    assert found["verdict"] == "no_gain" and found["flagged"] is True


def test_the_distance_falls_into_information_and_the_means_distance(streams: tuple[np.ndarray, np.ndarray]) -> None:
    found = check(streams, pair_probabilities(PairTable.count(streams[0], VOCAB, EOS_ID)))
    parts = found["information_bits"] + found["mean_to_frequency_bits"]
    assert found["each_to_frequency_bits"] == pytest.approx(parts, abs=1e-4)
    assert found["information_bits"] > 1


def test_the_pass_counts_each_target_once_under_overlapping_rows(streams: tuple[np.ndarray, np.ndarray]) -> None:
    train, ids_N = streams
    pairs = PairTable.count(train, VOCAB, EOS_ID)
    table_VV = pair_probabilities(pairs)
    start = np.array([0, 40, 90, 130])
    rows = Rows(start, np.array([0, 60, 100, 150]), np.array([60, 100, 150, 157]))
    told: list[tuple[int, int]] = []
    found = predict_stream(
        planted(table_VV), ids_N[:157], EOS_ID, rows, pairs.frequencies_V, lambda done, n: told.append((done, n))
    )
    before_N = np.concatenate(([EOS_ID], ids_N[:156]))
    by_hand = table_VV[before_N]
    assert found.log_probs_N == pytest.approx(np.log(by_hand[np.arange(157), ids_N[:157]]), abs=1e-5)
    assert np.array_equal(found.top_N, by_hand.argmax(axis=1))
    assert found.mean_V == pytest.approx(by_hand.mean(axis=0), abs=1e-6) and told[-1] == (4, 4)
    with pytest.raises(ValueError, match="exactly once"):
        predict_stream(planted(table_VV), ids_N[:200], EOS_ID, rows, pairs.frequencies_V)


def test_a_token_that_is_ruled_out_does_no_harm(streams: tuple[np.ndarray, np.ndarray]) -> None:
    """A head may mask tokens: their log-probability is minus infinity."""
    table_VV = np.full((VOCAB, VOCAB), 1 / (VOCAB - 1))
    table_VV[:, 0] = 0.0
    ids_N = np.full(40, 3)
    with np.errstate(divide="ignore"):
        found = predict_stream(planted(table_VV), ids_N, EOS_ID, stock_rows(40), np.full(VOCAB, 1 / VOCAB))
    assert found.entropy_bits_N == pytest.approx(np.full(40, math.log2(VOCAB - 1)), abs=1e-5)
    assert found.kl_bits_N == pytest.approx(np.full(40, math.log2(VOCAB / (VOCAB - 1))), abs=1e-5)
    assert found.mean_V[0] == 0


def test_pair_table_by_hand() -> None:
    pairs = PairTable.count(np.array([2, 3, 2, 3, 2, 1]), vocab_size=4, eos_id=1)
    f = (np.array([0, 1, 3, 2]) + 0.5) / 8
    # after 2: 3 twice, 1 once; two types
    assert np.exp(pairs.log_probs(np.array([2, 3]), 1))[1] == pytest.approx((2 + 2 * f[3]) / 5)
    assert np.exp(pairs.log_probs(np.array([2, 0]), 1))[1] == pytest.approx(2 * f[0] / 5)
    assert np.exp(pairs.log_probs(np.array([0, 3]), 1))[1] == pytest.approx(f[3])  # nothing ever followed 0


def observation(confidence_N: np.ndarray, right_N: np.ndarray) -> SimpleNamespace:
    """A case whose best tokens have these probabilities and are right or not."""
    ids_N = np.arange(len(confidence_N))
    nothing = np.zeros(len(confidence_N))
    observed = Predictions(nothing, np.where(right_N, ids_N, -1), confidence_N, nothing, nothing, nothing)
    return SimpleNamespace(observed=observed, ids_N=ids_N)


def test_calibration_error_by_hand() -> None:
    confidence_N = np.array([0.1, 0.1, 0.9, 0.9, 1.0])
    found = calibration.compute(observation(confidence_N, np.array([False, True, True, True, False])))
    # bins: 0.1 x 2 (half right), 0.9 x 2 (all right), 1.0 x 1 (wrong)
    assert found["expected_calibration_error"] == pytest.approx((2 * 0.4 + 2 * 0.1 + 1 * 1.0) / 5)
    assert [row["n"] for row in found["bins"] if row["n"]] == [2, 2, 1]
    assert sum(row["n"] for row in found["bins"]) == found["n_tokens"] == 5
    assert found["accuracy"] == pytest.approx(3 / 5)


def test_a_calibrated_model_has_a_small_error() -> None:
    random = np.random.default_rng(1)
    confidence_N = random.random(20_000)
    found = calibration.compute(observation(confidence_N, random.random(20_000) < confidence_N))
    assert found["expected_calibration_error"] < 0.02
    inside = [row["interval"][0] <= row["confidence"] <= row["interval"][1] for row in found["bins"]]
    assert sum(inside) >= 13


def test_wilson_stays_inside() -> None:
    assert calibration.wilson(0.0, 10)[0] == 0.0 and calibration.wilson(1.0, 10)[1] == pytest.approx(1.0)
    low, high = calibration.wilson(0.5, 100)
    assert (low, high) == pytest.approx((0.4038, 0.5962), abs=1e-4)


def test_the_docs_and_the_code_know_the_same_verdicts() -> None:
    assert set(collapse.VERDICTS) >= collapse.FLAGGED and "uses_context" not in collapse.FLAGGED
