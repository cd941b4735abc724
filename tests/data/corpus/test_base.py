"""What `--corpus` means, fingerprints, and the description."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevenepochs.data.corpus.base import Corpus, CorpusConfig, slug
from sevenepochs.data.corpus.describe import describe
from sevenepochs.data.corpus.file import FileCorpus
from sevenepochs.data.corpus.fingerprint import fingerprint, recognise, titles_sha256
from sevenepochs.data.corpus.hub import HubCorpus
from sevenepochs.data.corpus.parse import parse_corpus
from sevenepochs.data.corpus.sample import SampleCorpus
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import Split, joined_text, split_titles


@pytest.mark.parametrize(
    ("text", "options", "expected"),
    [
        ("hub", {}, HubCorpus()),
        ("hub", {"revision": "2026"}, HubCorpus("2026")),
        ("sample", {}, SampleCorpus()),
        ("sample:500", {}, SampleCorpus(n_titles=500)),
        ("a/b.csv", {}, FileCorpus("a/b.csv")),
        ("a/b.csv", {"column": "name"}, FileCorpus("a/b.csv", "name")),
        ("a/b.csv", {"encoding": "cp1252"}, FileCorpus("a/b.csv", encoding="cp1252")),
        ("./hub", {}, FileCorpus("./hub")),
    ],
)
def test_parse(text: str, options: dict[str, str], expected: CorpusConfig) -> None:
    assert parse_corpus(text, **options) == expected
    assert CorpusConfig.from_dict(expected.to_dict()) == expected


@pytest.mark.parametrize(
    ("text", "options", "message"),
    [
        ("", {}, "is empty"),
        ("sample", {"column": "title"}, "--column is for files"),
        ("hub", {"column": "title"}, "--column is for files"),
        ("sample:20", {"encoding": "cp1252"}, "--encoding is for text files"),
        ("hub", {"encoding": "cp1252"}, "--encoding is for text files"),
        ("sample", {"revision": "2023"}, "--revision is for --corpus hub"),
        ("a.csv", {"revision": "2023"}, "--revision is for --corpus hub"),
        ("sample:", {}, "not a number of titles"),
        ("sample:many", {}, "not a number of titles"),
        ("sample:-5", {}, "not a number of titles"),
        ("sample:5", {}, "from 10 to 10,000,000"),
        ("hub", {"revision": "2025"}, "did you mean '202"),
    ],
)
def test_parse_refuses(text: str, options: dict[str, str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        parse_corpus(text, **options)


@pytest.mark.parametrize(("text", "expected"), [("a b/ç.x", "a-b-x"), ("hn_titles", "hn_titles"), ("…", "corpus")])
def test_slug(text: str, expected: str) -> None:
    assert slug(text) == expected


titles = st.lists(st.text(st.sampled_from("ab1:\n"), max_size=4), max_size=5)


@given(titles, titles)
def test_hash_tells_lists_of_titles_apart(left: list[str], right: list[str]) -> None:
    assert (titles_sha256(left) == titles_sha256(right)) == (left == right)


def test_fingerprint() -> None:
    split = Split(("ab", "é"), ("c",))
    found = fingerprint(split)
    assert found == {
        "train_titles_sha256": titles_sha256(["ab", "é"]),
        "validation_titles_sha256": titles_sha256(["c"]),
        "n_train": 2,
        "n_validation": 1,
        "train_chars": len(joined_text(split.train)),
        "validation_chars": 6,
    }
    # The canonical form may not drift, or published results could no longer be matched with a corpus.
    assert found["train_titles_sha256"] == hashlib.sha256("2:ab\n2:é\n".encode()).hexdigest()
    assert fingerprint(Split(("é", "ab"), ("c",)))["train_titles_sha256"] != found["train_titles_sha256"]


def test_stand_in_is_recognised_by_its_file() -> None:
    assert recognise(["a", "b"], "af05a4766408394d" + 48 * "0") == "stand-in"
    assert recognise(["a", "b"], 64 * "0") is None


def corpus_of(rows: list[str]) -> Corpus:
    return Corpus("x", tuple(rows), {"recognised": None, "licence": None})


def test_describe_counts() -> None:
    rows = [f"the {'x' * (i // 2)} Don’t" for i in range(40)] + ["", "  ", "has <eos> inside", "<pad>"]
    split = split_titles(rows)
    found = describe(corpus_of(rows))
    lengths = sorted(len(row.strip()) for row in rows)
    assert found["n_rows"] == found["n_titles_used"] == 44
    assert (found["n_train"], found["n_validation"]) == (39, 5)
    assert found["validation_chars"] == len(joined_text(split.validation))
    assert found["title_chars"] == {
        "min": 0,
        "median": (lengths[21] + lengths[22]) / 2,
        "mean": sum(lengths) / 44,
        "p95": lengths[41],
        "max": lengths[-1],
    }
    assert found["n_validation_titles_in_train"] == sum(t in split.train for t in split.validation)
    assert found["share_validation_titles_in_train"] == found["n_validation_titles_in_train"] / 5
    assert found["n_duplicates_in_train"] == 39 - len(set(split.train))
    assert found["n_empty_titles"] == 2
    assert found["n_titles_with_special_text"] == 2
    words = dict(found["frequent_train_words"])
    assert words["the"] == words["don’t"] == sum(t.startswith("the") for t in split.train)
    assert found["floor_nats_per_char"] is found["floor_standard_error"] is None


def test_describe_sample_is_json_and_has_a_floor() -> None:
    corpus = SampleCorpus(n_titles=1000).load()
    found = json.loads(json.dumps(describe(corpus)))
    floor = corpus.floor(split_titles(corpus.rows).validation)
    assert floor is not None
    assert found["floor_nats_per_char"] == floor.value_nats_per_char
    assert found["floor_standard_error"] == floor.standard_error
    assert found["entropy_rate_nats_per_char"] == corpus.source["entropy_rate_nats_per_char"]
    assert found["licence"] == "MIT"
    assert len(found["frequent_train_words"]) == 20


def test_describe_refuses_three_titles() -> None:
    with pytest.raises(UserError, match="at least 10"):
        describe(corpus_of(["a", "b", "c"]))


@pytest.mark.skipif(not os.environ.get("SEVENEPOCHS_STANDIN"), reason="SEVENEPOCHS_STANDIN names no file")
def test_stand_in() -> None:
    found = describe(parse_corpus(str(Path(os.environ["SEVENEPOCHS_STANDIN"]))).load())
    assert found["n_rows"] == 108_493
    assert (found["n_train"], found["n_validation"]) == (90_000, 10_000)
    assert found["validation_chars"] == 557_661
    assert found["share_validation_titles_in_train"] == pytest.approx(0.0151)
    assert found["recognised"] == "stand-in"
