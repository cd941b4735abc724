"""The mixture of an ensemble's members, on a distribution of titles that can be written down whole.

Two tokenizers cut the same titles: one into words, one into single characters (a space stays at the head of its word).
"""

import math
from dataclasses import replace

import numpy as np
import pytest

from sevenepochs.comparison.mixture import Member, Mixture
from sevenepochs.errors import UserError
from sevenepochs.store.token_losses import TokenLosses

TITLES = ("a", "a b", "a b c", "ab", "ab c", "ba b", "b  a", "é ab", "")
TRUE = np.array([0.2, 0.1, 0.15, 0.05, 0.2, 0.1, 0.08, 0.1, 0.02])
EOS = "<eos>"


def words(title: str) -> list[str]:
    pieces: list[str] = []
    for letter in title:
        if letter == " " or not pieces:
            pieces.append(letter)
        else:
            pieces[-1] += letter
    return [*pieces, EOS]


def letters(title: str) -> list[str]:
    pieces: list[str] = []
    for letter in title:
        if pieces and pieces[-1] == " " and letter != " ":
            pieces[-1] += letter  # " b" is one token, as for byte-level tokenizers
        else:
            pieces.append(letter)
    return [*pieces, EOS]


CUTS = {"words": words, "letters": letters}


def member(cut: str, chance: np.ndarray = TRUE, titles: tuple[str, ...] = TITLES) -> Member:
    """A member that has this distribution over TITLES, asked about `titles`."""
    log_probs, stops, n_bytes = [], [], []
    cuts = [CUTS[cut](title) for title in TITLES]
    for title in titles:
        pieces = CUTS[cut](title)
        for place, piece in enumerate(pieces):
            rest = [
                (tokens[place], p) for tokens, p in zip(cuts, chance, strict=True) if tokens[:place] == pieces[:place]
            ]
            total = math.fsum(p for _, p in rest)
            log_probs.append(math.log(math.fsum(p for token, p in rest if token == piece) / total))
            stop = math.fsum(p for token, p in rest if token == EOS or token.startswith(" ")) / total
            stops.append(math.log(stop) if stop else -np.inf)
            n_bytes.append(0 if piece == EOS else len(piece.encode()))
    return Member(cut, cut, TokenLosses(np.array(log_probs), np.array(stops), np.array(n_bytes)))


def other(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).dirichlet(np.ones(len(TITLES)))


@pytest.mark.parametrize("cut", CUTS)
def test_one_member_keeps_its_own_loss_of_every_title(cut: str) -> None:
    alone = Mixture([member(cut, other(0))], TITLES)
    assert alone.title_nats(alone.log_probs([1.0])) == pytest.approx(-np.log(other(0)), abs=1e-9)


def test_by_words_each_member_keeps_its_own_loss_of_every_title() -> None:
    both = Mixture([member("words", other(0)), member("letters", other(1))], TITLES)
    assert both.is_by_words
    for weights, seed in (([1, 0], 0), ([0, 1], 1)):
        assert both.title_nats(both.log_probs(weights)) == pytest.approx(-np.log(other(seed)), abs=1e-9)


def test_equal_members_give_the_same() -> None:
    same = Mixture([member("letters", other(2))] * 3, TITLES)
    assert not same.is_by_words
    assert same.title_nats(same.log_probs([0.5, 0.3, 0.2])) == pytest.approx(-np.log(other(2)), abs=1e-9)


def test_two_tokenizers_of_the_true_distribution_give_the_floor() -> None:
    both = Mixture([member("words"), member("letters")], TITLES)
    assert both.title_nats(both.log_probs([0.4, 0.6])) == pytest.approx(-np.log(TRUE), abs=1e-9)


@pytest.mark.parametrize("seed", range(20))
def test_the_mixture_of_all_titles_sums_to_at_most_1(seed: int) -> None:
    pair = [member("words", other(seed)), member("letters", other(seed + 100)), member("letters", other(seed + 200))]
    mixture = Mixture(pair, TITLES)
    total = np.exp(-mixture.title_nats(mixture.log_probs([0.3, 0.5, 0.2]))).sum()
    assert 0.5 < total <= 1 + 1e-12
    by_tokens = Mixture(pair[1:], TITLES)
    assert np.exp(-by_tokens.title_nats(by_tokens.log_probs([0.5, 0.5]))).sum() == pytest.approx(1, abs=1e-9)


def test_a_later_word_does_not_move_an_earlier_one() -> None:
    def first_two(titles: tuple[str, ...]) -> np.ndarray:
        mixture = Mixture([member("words", other(3), titles), member("letters", other(4), titles)], titles)
        return mixture.log_probs([0.5, 0.5])[:2]

    assert first_two(("a b c",)) == pytest.approx(first_two(("a b",)), abs=1e-12)


def test_the_space_put_before_a_title_is_a_byte_of_its_first_token() -> None:
    plain, spaced = member("letters", other(5)), member("words", other(6))
    n_bytes = spaced.tokens.n_bytes.copy()
    starts = np.concatenate(([0], np.flatnonzero(n_bytes == 0)[:-1] + 1))
    n_bytes[starts[:-1]] += 1  # not of the empty title
    shifted = replace(spaced, tokens=replace(spaced.tokens, n_bytes=n_bytes))
    losses = [m.title_nats(m.log_probs([0.5, 0.5])) for m in (Mixture([plain, s], TITLES) for s in (spaced, shifted))]
    assert losses[0] == pytest.approx(losses[1], abs=1e-12)


def test_best_weights_are_those_of_the_lowest_loss() -> None:
    asked = np.random.default_rng(0).choice(len(TITLES), 400, p=TRUE)
    titles = tuple(TITLES[i] for i in asked)
    mixture = Mixture([member("words", other(7), titles), member("letters", titles=titles)], titles)
    weights = mixture.best_weights()
    assert weights.sum() == pytest.approx(1) and weights[1] > 0.8
    losses = [-mixture.log_probs([w, 1 - w]).sum() for w in np.linspace(0, 1, 21)]
    assert -mixture.log_probs(weights).sum() <= min(losses) + 1e-6


@pytest.mark.parametrize("weights", [[0.5, 0.6], [1.5, -0.5], [1.0]])
def test_weights_that_do_not_sum_to_1_are_refused(weights: list[float]) -> None:
    with pytest.raises(ValueError, match="sum to 1"):
        Mixture([member("words"), member("letters")], TITLES).log_probs(weights)


def test_a_member_of_other_titles_is_named() -> None:
    stranger = replace(member("letters", titles=TITLES[:-1]), name="stranger")
    with pytest.raises(UserError, match="stranger has the losses of other titles"):
        Mixture([member("words"), stranger], TITLES)


def test_a_member_with_other_words_is_named() -> None:
    def joined(title: str) -> list[str]:
        return [title, EOS] if title else [EOS]

    CUTS["joined"] = joined
    try:
        with pytest.raises(UserError, match="joined cuts the titles into other words than letters"):
            Mixture([member("letters"), member("joined")], TITLES)
    finally:
        del CUTS["joined"]


@pytest.mark.parametrize("fault", ["a stop left out", "a word scored twice"])
def test_the_tests_see_planted_faults(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from sevenepochs.comparison import mixture as module

    right = module._units

    def wrong(log_probs_N: np.ndarray, stops_N: np.ndarray, starts: module._Starts) -> np.ndarray:
        if fault == "a stop left out":
            return np.add.reduceat(log_probs_N, starts.token_U)
        found = right(log_probs_N, stops_N, starts)
        return np.append(found[:1] * 2, found[1:])

    monkeypatch.setattr(module, "_units", wrong)
    with pytest.raises(AssertionError):
        test_by_words_each_member_keeps_its_own_loss_of_every_title()
        test_two_tokenizers_of_the_true_distribution_give_the_floor()
        for seed in range(20):
            test_the_mixture_of_all_titles_sums_to_at_most_1(seed)
