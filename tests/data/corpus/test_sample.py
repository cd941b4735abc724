"""The embedded corpus: same titles everywhere, enough of them, and a floor that is what it says."""

from __future__ import annotations

import math

import numpy as np
import pytest

from sevenepochs.data.corpus.base import Corpus
from sevenepochs.data.corpus.fingerprint import titles_sha256
from sevenepochs.data.corpus.sample import (
    SampleCorpus,
    entropy_rate_nats_per_char,
    floor,
    load_grammar,
)
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import char_count, split_titles


@pytest.fixture(scope="module")
def sample() -> Corpus:
    return SampleCorpus().load()


def test_titles_are_the_same_on_every_machine(sample: Corpus) -> None:
    assert len(sample.rows) == 20_000
    assert titles_sha256(sample.rows) == "af82a7fd3cb9857c586cda16bb5538a203058d3173aff354ad3bbba4ab96a85b"
    assert sample.source["entropy_rate_nats_per_char"] == pytest.approx(0.2947871421219608, abs=1e-12)


def test_fewer_titles_are_a_prefix_and_another_seed_is_another_corpus(sample: Corpus) -> None:
    assert SampleCorpus(n_titles=50).load().rows == tuple(sample.rows[:50])
    assert SampleCorpus(n_titles=50, seed=1).load().rows != tuple(sample.rows[:50])


def test_names_tell_corpora_apart(sample: Corpus) -> None:
    names = [c.load().name for c in (SampleCorpus(10), SampleCorpus(10, 3), SampleCorpus(10, grammar="tiny"))]
    assert [sample.name, *names] == ["sample", "sample-10", "sample-10-seed3", "sample-tiny-10"]


def test_titles_are_clean_and_the_grammar_makes_them(sample: Corpus) -> None:
    grammar = load_grammar()
    for title in sample.rows[:2000]:
        assert title == title.strip() != ""
        assert "<" not in title
        assert grammar.log_prob(title) > -math.inf


def test_the_corpus_is_large_and_validation_is_not_in_training(sample: Corpus) -> None:
    assert load_grammar().n_titles_possible >= 10**9
    split = split_titles(sample.rows)
    known = set(split.train)
    assert sum(title in known for title in split.validation) / len(split.validation) < 0.02


def test_headlines_look_the_part(sample: Corpus) -> None:
    text = "\n".join(sample.rows)
    for wanted in ("Show HN: ", "Ask HN: ", " [pdf]", "(2014)", "“", "”", "’", " – ", "—", "(YC W", "Rust 1.", "ü"):
        assert wanted in text


def test_floor_is_the_sum_over_the_characters_that_the_metric_counts(tiny_titles: dict[str, float]) -> None:
    grammar = load_grammar("tiny")
    titles = list(tiny_titles)[:30]
    expected = -sum(math.log(tiny_titles[title]) for title in titles) / char_count(titles)
    assert floor(grammar, titles).value_nats_per_char == pytest.approx(expected, abs=1e-12)


def test_standard_error_is_the_spread_of_the_floor_over_resamples() -> None:
    grammar = load_grammar("tiny")
    rng = np.random.default_rng(3)
    floors = [floor(grammar, [grammar.sample(rng) for _ in range(200)]) for _ in range(400)]
    values = np.array([f.value_nats_per_char for f in floors])
    assert np.mean([f.standard_error for f in floors]) == pytest.approx(values.std(ddof=1), rel=0.15)
    rate = entropy_rate_nats_per_char(grammar)
    inside = np.mean([abs(f.value_nats_per_char - rate) < 2 * f.standard_error for f in floors])
    assert 0.91 < inside < 0.99


def test_entropy_rate_by_listing_all_titles(tiny_titles: dict[str, float]) -> None:
    nats = -sum(p * math.log(p) for p in tiny_titles.values())
    chars = sum(p * (len(t) + 5) for t, p in tiny_titles.items())
    assert entropy_rate_nats_per_char(load_grammar("tiny")) == pytest.approx(nats / chars)


def test_floor_on_the_default_validation_titles_is_near_the_entropy_rate(sample: Corpus) -> None:
    found = sample.floor(split_titles(sample.rows).validation)
    assert found is not None
    assert 0 < found.standard_error < 0.01
    assert abs(found.value_nats_per_char - entropy_rate_nats_per_char(load_grammar())) < 4 * found.standard_error


def test_no_other_distribution_beats_the_floor(sample: Corpus) -> None:
    """Gibbs' inequality, seen on a unigram model of characters: what the trained models will be held to."""
    split = split_titles(sample.rows)
    joined = "\n".join(split.train) + "\n"
    log_p = {c: math.log(joined.count(c) / len(joined)) for c in set(joined)}
    loss = -sum(log_p[c] for title in split.validation for c in title + "\n") / char_count(split.validation)
    found = sample.floor(split.validation)
    assert found is not None
    assert loss > found.value_nats_per_char + 4 * found.standard_error


def test_floor_refuses_titles_of_another_corpus(sample: Corpus) -> None:
    with pytest.raises(UserError, match=r"cannot make the title 'No such thing'.*another corpus"):
        sample.floor([sample.rows[0], "No such thing"])
    with pytest.raises(UserError, match="at least one title"):
        sample.floor([])


@pytest.mark.parametrize("bad", [{"n_titles": 9}, {"n_titles": 10**8}, {"seed": -1}, {"grammar": "big"}])
def test_out_of_range(bad: dict[str, int]) -> None:
    with pytest.raises(UserError):
        SampleCorpus(**bad)  # type: ignore[arg-type]


def test_config_round_trip() -> None:
    config = SampleCorpus(500, 2, "tiny")
    assert SampleCorpus.from_dict(config.to_dict()) == config
