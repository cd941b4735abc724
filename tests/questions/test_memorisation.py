"""Memorisation: found in a model that remembers titles and in no other, beside a control that has met none of them."""

import collections
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sevenepochs.data.corpus.sample import SampleCorpus
from sevenepochs.data.titles import normalised
from sevenepochs.data.tokenizer.base import Tokenizer
from sevenepochs.data.tokenizer.trained import BPE
from sevenepochs.protocol.budget import Split
from sevenepochs.questions import memorisation
from sevenepochs.questions.case import Case
from sevenepochs.questions.memorisation import MEMORISATION
from sevenepochs.questions.stream import PairTable, targets
from sevenepochs.store.run import Run
from sevenepochs.store.title_losses import TitleLosses

N_TRAIN, N_MET, N_NEAR, N_NEW = 2000, 80, 40, 500
Model = Callable[[Tokenizer, Split, tuple[str, ...]], np.ndarray]


@pytest.fixture(scope="module")
def titles() -> tuple[str, ...]:
    """Generated titles, no two alike or nearly."""
    return tuple({normalised(title): title for title in SampleCorpus(n_titles=6000).load().rows}.values())


@pytest.fixture(scope="module")
def split(titles: tuple[str, ...]) -> Split:
    """80 of the validation titles are training titles, 40 more are nearly."""
    train, new = titles[:N_TRAIN], titles[N_TRAIN : N_TRAIN + N_NEW]
    near = tuple(f"{title}!" for title in train[N_MET : N_MET + N_NEAR])
    return Split(train, train[:N_MET] + near + new)


@pytest.fixture(scope="module")
def tokenizer(split: Split) -> Tokenizer:
    return BPE(vocab_size=800).build(split)


def pairs_of(counted: tuple[str, ...], tokenizer: Tokenizer, split: Split) -> np.ndarray:
    """ln p of the validation stream by a table of token pairs."""
    table = PairTable.count(tokenizer.encode_stream(counted), tokenizer.vocab_size, tokenizer.eos_id)
    return table.log_probs(tokenizer.encode_stream(split.validation), tokenizer.eos_id)


def pairs_of_others(tokenizer: Tokenizer, split: Split, others: tuple[str, ...]) -> np.ndarray:
    """A model that predicts by pairs and was trained on other titles altogether."""
    return pairs_of(others, tokenizer, split)


def pairs_of_training(tokenizer: Tokenizer, split: Split, others: tuple[str, ...]) -> np.ndarray:
    """A model that predicts by pairs and was trained on the titles that come back, too."""
    return pairs_of(split.train, tokenizer, split)


def beginnings(tokenizer: Tokenizer, split: Split, others: tuple[str, ...]) -> np.ndarray:
    """A model that remembers: half of its probability says how a training title with this beginning goes on."""
    after: dict[tuple[int, ...], collections.Counter[int]] = collections.defaultdict(collections.Counter)
    for title in split.train:
        ids = [*tokenizer.encode(title), tokenizer.eos_id]
        for i, id in enumerate(ids):
            after[tuple(ids[:i])][id] += 1
    remembered = []
    for title in split.validation:
        ids = [*tokenizer.encode(title), tokenizer.eos_id]
        remembered += [after[tuple(ids[:i])][id] / (after[tuple(ids[:i])].total() or 1) for i, id in enumerate(ids)]
    return np.log(0.5 * np.exp(pairs_of(others, tokenizer, split)) + 0.5 * np.array(remembered))


def answer(nats: np.ndarray, split: Split, tokenizer: Tokenizer) -> dict[str, Any]:
    """What `compute` answers for a model with these losses by title, each put on the title's `<eos>`."""
    ids_N = tokenizer.encode_stream(split.validation)
    log_probs_N = np.zeros(len(ids_N))
    log_probs_N[ids_N == tokenizer.eos_id] = -nats
    where = targets(ids_N, tokenizer.eos_id, split.validation)
    data = SimpleNamespace(split=split, tokenizer=tokenizer)
    return memorisation.compute(SimpleNamespace(data=data, where=where, ids_N=ids_N, log_probs_N=log_probs_N))


def nats_of(model: Model, titles: tuple[str, ...], split: Split, tokenizer: Tokenizer) -> np.ndarray:
    """What each validation title costs the model."""
    where = targets(tokenizer.encode_stream(split.validation), tokenizer.eos_id, split.validation)
    return where.by_title(-model(tokenizer, split, titles[N_TRAIN + N_NEW :]))


@pytest.mark.parametrize(
    ("model", "verdict"),
    [(beginnings, "sign"), (pairs_of_training, "sign"), (pairs_of_others, "cannot_be_told")],
)
def test_a_model_that_remembers_is_found_and_no_other(
    model: Model, verdict: str, titles: tuple[str, ...], split: Split, tokenizer: Tokenizer
) -> None:
    found = answer(nats_of(model, titles, split, tokenizer), split, tokenizer)
    assert found["verdict"] == verdict and found["sentence"] == memorisation.VERDICTS[verdict]
    rows = {row["name"]: row for row in found["kinds"]}
    quotient = rows["word_for_word"]["ratio_to_pairs"] / rows["new"]["ratio_to_pairs"]
    assert found["met_to_new"]["ratio"] == pytest.approx(quotient)
    for row in (*found["kinds"], {"ratio_to_pairs": quotient, "interval": found["met_to_new"]["interval"]}):
        low, high = row["interval"]
        assert low < row["ratio_to_pairs"] < high
        assert high - low < 0.3


def test_the_control_has_met_none_of_the_titles(titles: tuple[str, ...], split: Split, tokenizer: Tokenizer) -> None:
    found = answer(nats_of(pairs_of_others, titles, split, tokenizer), split, tokenizer)
    assert found["n_left_out_of_pairs"] == N_MET + N_NEAR
    assert [row["n_titles"] for row in found["kinds"]] == [N_MET, N_NEAR, N_NEW]
    assert [(row["name"], row["n_titles"]) for row in found["times"]] == [("1", N_MET + N_NEAR)]
    control = pairs_of(split.train[N_MET + N_NEAR :], tokenizer, split)
    where = targets(tokenizer.encode_stream(split.validation), tokenizer.eos_id, split.validation)
    met = where.by_title(-control)[:N_MET].sum() / where.n_chars[:N_MET].sum()
    assert found["kinds"][0]["pair_nats_per_char"] == pytest.approx(met)


def test_it_is_the_same_from_losses_as_results_keep_them(
    titles: tuple[str, ...], split: Split, tokenizer: Tokenizer
) -> None:
    nats = nats_of(beginnings, titles, split, tokenizer)
    n_chars = np.array([len(title) + 5 for title in split.validation])
    kept = TitleLosses.from_json(TitleLosses(nats, n_chars).to_json(), "x.json").nats
    exact, published = (answer(values, split, tokenizer) for values in (nats, kept))
    assert answer(nats, split, tokenizer) == exact  # drawn from a seed
    for row, other in zip(exact["kinds"], published["kinds"], strict=True):
        assert other["ratio_to_pairs"] == pytest.approx(row["ratio_to_pairs"], abs=1e-3)
        assert other["interval"] == pytest.approx(row["interval"], abs=1e-3)


def test_too_few_titles_have_no_interval_and_no_verdict(split: Split, tokenizer: Tokenizer) -> None:
    few = Split(split.train, split.validation[:5] + split.validation[-30:])
    found = answer(np.ones(35), few, tokenizer)
    assert found["verdict"] == "too_few" and "cannot be told" in found["sentence"]
    assert [row["interval"] is None for row in found["kinds"]] == [True, False]
    assert found["met_to_new"]["interval"] is None and found["met_to_new"]["ratio"] > 0


def test_where_every_training_title_is_repeated_the_control_knows_nothing(split: Split, tokenizer: Tokenizer) -> None:
    found = answer(np.ones(30), Split(split.train[:30], split.train[:30]), tokenizer)
    (row,) = found["kinds"]
    n_tokens = len(tokenizer.encode_stream(split.train[:30]))
    assert row["pair_nats_per_char"] * row["n_chars"] == pytest.approx(n_tokens * np.log(tokenizer.vocab_size))
    assert found["n_left_out_of_pairs"] == 30 and found["met_to_new"] is None and found["verdict"] == "too_few"


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [((0.8, 0.99), "sign"), ((0.9, 1.1), "cannot_be_told"), ((1.01, 1.2), "no_sign"), (None, "too_few")],
)
def test_the_verdict_follows_the_interval(interval: Any, verdict: str) -> None:
    assert memorisation.judge({"ratio": 1.0, "interval": interval}) == verdict


def test_of_a_run_it_adds_up_to_the_exact_loss(finished_run: Run) -> None:
    found = MEMORISATION.answer(Case.open(finished_run))
    assert finished_run.summary is not None
    exact = finished_run.summary["figures"]["exact_val_loss"]
    assert found["exact_val_loss"] == pytest.approx(exact, rel=1e-12)
    total = sum(row["nats_per_char"] * row["n_chars"] for row in found["kinds"])
    assert total / sum(row["n_chars"] for row in found["kinds"]) == pytest.approx(exact, rel=1e-6)
