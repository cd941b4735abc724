"""Kinds of titles: each title in exactly one kind of each breakdown, and in the right one."""

import hypothesis
import numpy as np
import pytest
from hypothesis import strategies as st

from sevenepochs.data.titles import break_down, normalised

TRAINING = ("The Rise of Worse Is Better (1991)", "Ask HN: Who is hiring?")


def kinds_of(title: str) -> dict[str, str]:
    """Name of the title's kind by breakdown."""
    return {b.name: b.kinds[int(b.of_title[0])].name for b in break_down([title], TRAINING)}


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Show HN: A thing", {"prefix": "show_hn", "digits": "without", "question": "other", "length": "0_to_29"}),
        ("Ask HN: Who is hiring?", {"prefix": "ask_hn", "question": "question", "known": "word_for_word"}),
        ("ASK HN who is hiring", {"prefix": "ask_hn", "question": "other", "known": "near"}),
        ("Asking HN for help", {"prefix": "other", "known": "new"}),
        ("A reply to Show HN", {"prefix": "other"}),
        ("Tell HN: x", {"prefix": "tell_hn"}),
        ("Launch HN: x", {"prefix": "launch_hn"}),
        ("Worse is better (1991)", {"year": "with", "digits": "with"}),
        ("The year 1991", {"year": "without", "digits": "with"}),
        ("Error (4040)", {"year": "without"}),
        ("A paper [PDF]", {"tag": "pdf"}),
        ("A talk [video]", {"tag": "video"}),
        ("A pdf", {"tag": "none"}),
        ("The rise of \u201cWorse is better\u201d [pdf]", {"known": "near"}),
        ("x" * 29, {"length": "0_to_29"}),
        ("x" * 30, {"length": "30_to_44"}),
        ("x" * 74, {"length": "60_to_74"}),
        ("x" * 75, {"length": "from_75"}),
        ("", {"prefix": "other", "length": "0_to_29", "known": "new"}),
    ],
)
def test_a_title_is_of_the_kind_that_a_reader_would_say(title: str, expected: dict[str, str]) -> None:
    found = kinds_of(title)
    assert {name: found[name] for name in expected} == expected


@hypothesis.given(st.lists(st.text(max_size=90), max_size=20))
def test_every_breakdown_sorts_every_title(titles: list[str]) -> None:
    for breakdown in break_down(titles, TRAINING):
        assert breakdown.of_title.shape == (len(titles),)
        counts = np.bincount(breakdown.of_title, minlength=len(breakdown.kinds))
        assert len(counts) == len(breakdown.kinds) and counts.sum() == len(titles)


def test_normalised_keeps_words_only() -> None:
    assert normalised("Show HN: Foo-bar, v2.0 (2015) [pdf]") == "show hn foo bar v2 0"
    assert normalised("Ｆｕｌｌ ＷＩＤＴＨ") == "full width"
    assert normalised("!?") == "!?"
    assert normalised("漢字 title") == "漢字 title"
