"""The Unigram tokenizer: one result however often it is trained, and nothing lost."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sevenepochs.data.tokenizer.base import SPECIAL_TOKENS, Tokenizer
from sevenepochs.data.tokenizer.trained import Unigram, _canonical
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import Split, joined_text

WORDS = (
    "compiler",
    "naïve",
    "Show HN:",
    "Ask HN:",
    "(2019)",
    "日本語",
    "of",
    "the",
    "Rust",
    "slow",
    "slower",
    "slowest",
)
TRAIN = tuple(f"{WORDS[i % 12]} {WORDS[i * 7 % 11]} {i % 9} {WORDS[i * 5 % 12]}" for i in range(400))
VALIDATION = tuple(f"{WORDS[i * 3 % 12]} – “quoted” {i} 🚀" for i in range(40))
SPLIT = Split(TRAIN, VALIDATION)
TITLES = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")).map(str.strip), max_size=8)


@pytest.fixture(scope="module", params=["train", "train+validation"])
def tokenizer(request):
    return Unigram(vocab_size=400, trained_on=request.param).build(SPLIT)


@pytest.fixture(scope="module")
def train_only():
    return Unigram(vocab_size=400, trained_on="train").build(SPLIT)


@pytest.mark.parametrize("trained_on", ["train", "train+validation"])
def test_trained_again_it_is_the_same(trained_on):
    """The library's result differs from call to call in order and in the scores of unused characters."""
    config = Unigram(vocab_size=330, trained_on=trained_on)
    assert len({config._train(TRAIN + VALIDATION) for _ in range(5)}) == 1


def test_one_way_to_write_it_down():
    def definition(pieces):
        vocab = [[token, 0.0] for token in SPECIAL_TOKENS] + pieces
        return json.dumps({"model": {"type": "Unigram", "unk_id": 2, "vocab": vocab}})

    one = definition([["the", -2.5], ["of", -2.5], ["a", -9.0], ["z", -8.9999], ["er", -8.99985]])
    other = definition([["of", -2.5000000001], ["the", -2.4999999999], ["z", -9.0], ["er", -8.99985], ["a", -8.9999]])
    assert _canonical(one) == _canonical(other)
    vocab = json.loads(_canonical(one))["model"]["vocab"][3:]
    assert [piece for piece, _ in vocab] == ["of", "the", "er", "a", "z"]


@settings(max_examples=40)
@given(titles=TITLES.filter(bool))
def test_one_by_one_is_the_joined_text(tokenizer, titles):
    assert tokenizer.encode_stream(titles).tolist() == tokenizer.encode(joined_text(titles))


@settings(max_examples=40)
@given(titles=TITLES)
def test_nothing_is_ever_lost_with_all_bytes(train_only, titles):
    titles = [t for t in titles if not any(token in t for token in SPECIAL_TOKENS)]
    fidelity = train_only.fidelity(titles)
    assert fidelity.reversible and fidelity.n_unknown_tokens == 0


def test_its_own_titles_come_back(tokenizer):
    assert tokenizer.fidelity(TRAIN).reversible
    assert (tokenizer.eos_id, tokenizer.unk_id) == (1, 2)
    assert Tokenizer(tokenizer.json).sha256 == tokenizer.sha256


def test_train_only_does_not_see_validation_text():
    one = Unigram(vocab_size=400, trained_on="train").build(SPLIT)
    other = Unigram(vocab_size=400, trained_on="train").build(Split(TRAIN, ("entirely different",)))
    both = Unigram(vocab_size=400, trained_on="train+validation").build(SPLIT)
    assert one.json == other.json != both.json


def test_it_uses_fewer_tokens_for_what_is_frequent(tokenizer):
    assert len(tokenizer.encode("of slow")) < len(tokenizer.encode("fo wols"))


def test_settings_out_of_range():
    with pytest.raises(UserError, match=r"tokenizer\.vocab_size"):
        Unigram(vocab_size=100)
    with pytest.raises(UserError, match="trained_on"):
        Unigram(trained_on="validation")  # type: ignore[arg-type]
