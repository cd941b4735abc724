"""Encoding each word once gives the ids of encoding each title whole."""

import json

import numpy as np
import pytest
import tokenizers
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import models, pre_tokenizers

from sevenepochs.data.tokenizer import words
from sevenepochs.data.tokenizer.base import SPECIAL_TOKENS
from sevenepochs.data.tokenizer.trained import BPE, Unigram
from sevenepochs.data.tokenizer.words import cuts_at_words, encode_titles
from sevenepochs.protocol.budget import Split

TITLES = ("Show HN: A tiny compiler", "Why isn't Rust 2.0 here?", "It's  two\u00a0spaces", "we'll\tsee <eos> you're")
# where words meet: white space of all kinds, contractions, special tokens, marks, and what only some call a space
PIECES = [" ", " ", " ", "a", "Why", "'", "'s", "n't", "'ll", "7", "!", "é", "e\u0301", "漢", "🚀", *SPECIAL_TOKENS]
PIECES += [
    "\t",
    "\n",
    "\u00a0",
    "\u2003",
    "\u3000",
    "\u180e",
    "\u200b",
    "\ufeff",
    "\x1c",
    "\x85",
    "\u2028",
    "<",
    "eos>",
]


@pytest.fixture(scope="module", params=[BPE, Unigram])
def tokenizer(request):
    return request.param(vocab_size=330, trained_on="train").build(Split(TITLES * 3, TITLES))


@given(titles=st.lists(st.lists(st.sampled_from(PIECES), max_size=9).map("".join), max_size=6))
def test_the_ids_are_those_of_whole_titles(tokenizer, titles):
    expected = [id for title in titles for id in [*tokenizer.encode(title), tokenizer.eos_id]]
    ids = tokenizer.encode_stream(titles)
    assert ids.tolist() == expected and ids.dtype == np.int32


def test_chunks_are_joined_in_order(tokenizer, monkeypatch):
    whole = tokenizer.encode_stream(TITLES)
    monkeypatch.setattr(words, "_CHUNK_TITLES", 3)
    assert tokenizer.encode_stream(TITLES).tolist() == whole.tolist()
    assert tokenizer.encode_stream([]).tolist() == []


def test_a_word_is_encoded_once_and_only_where_the_tokenizer_cuts_there(tokenizer):
    assert cuts_at_words(tokenizer.json)
    for part, change in {
        "pre_tokenizer": {"add_prefix_space": False},
        "model": {"dropout": 0.1},
    }.items():
        facts = json.loads(tokenizer.json)
        facts[part] |= change
        assert not cuts_at_words(json.dumps(facts))
    assert not cuts_at_words(json.dumps({**json.loads(tokenizer.json), "pre_tokenizer": None}))


def test_a_tokenizer_that_cuts_elsewhere_gets_whole_titles():
    hf = tokenizers.Tokenizer(models.WordLevel({"a b": 0, "a": 1, "b": 2}, unk_token="a"))
    hf.pre_tokenizer = pre_tokenizers.Split("|", "removed")
    assert not cuts_at_words(hf.to_str())
    assert encode_titles(hf, ["a b", "b"], 9, by_words=False).tolist() == [0, 9, 2, 9]
