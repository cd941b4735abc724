"""The grammar's exact figures against brute force on grammars small enough to list every title."""

from __future__ import annotations

import collections
import graphlib
import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sevenepochs.data.corpus import rules as rules_module
from sevenepochs.data.corpus.rules import Grammar, Ref
from sevenepochs.data.corpus.sample import load_grammar

TINY = load_grammar("tiny")
_Configuration = tuple[str | Ref, ...]


def derivations(grammar: Grammar, symbols: tuple[str | Ref, ...]) -> list[tuple[str, float]]:
    """Every derivation as (text, probability), written apart from the grammar's own code."""
    if not symbols:
        return [("", 1.0)]
    head, rest = symbols[0], derivations(grammar, symbols[1:])
    if isinstance(head, str):
        return [(head + text, p) for text, p in rest]
    heads = [(text, a.probability * p) for a in grammar.rules[head.name] for text, p in derivations(grammar, a.symbols)]
    return [(left + right, p * q) for left, p in heads for right, q in rest]


def all_derivations(grammar: Grammar) -> list[tuple[str, float]]:
    return derivations(grammar, (Ref(grammar.start),))


def find_ambiguity(grammar: Grammar) -> str | None:
    """The beginning of a title that has two derivations, or None: then every title has exactly one.

    The grammar has no recursion, so a derivation from left to right is a walk through finitely many configurations:
    the literal text and rules still to be written. All titles are read at once, a character at a time, with the set of
    configurations that the text so far may have led to (the subset construction that makes an automaton deterministic).
    Two derivations of one title meet, at its end at the latest, in one configuration; every configuration leads to
    some title. So the grammar is ambiguous exactly when some text reaches a configuration twice.
    """
    begin = _closure(grammar, [(Ref(grammar.start),)])
    if begin is None:
        return ""
    seen = {frozenset(begin)}
    todo = [("", begin)]
    while todo:
        text, configurations = todo.pop()
        after: dict[str, list[_Configuration]] = {}
        for configuration in configurations:
            if configuration:
                head = configuration[0]
                assert isinstance(head, str)
                rest = (head[1:], *configuration[1:]) if len(head) > 1 else configuration[1:]
                after.setdefault(head[0], []).append(rest)
        for character, reached in after.items():
            closed = _closure(grammar, reached)
            if closed is None:
                return text + character
            key = frozenset(closed)
            if key not in seen:
                seen.add(key)
                todo.append((text + character, closed))
    return None


def _closure(grammar: Grammar, configurations: list[_Configuration]) -> list[_Configuration] | None:
    """The configurations with leading rules expanded until text leads; None when one is reached twice."""
    found: list[_Configuration] = []
    stack = list(configurations)
    while stack:
        configuration = stack.pop()
        if configuration and isinstance(configuration[0], Ref):
            rest = configuration[1:]
            stack.extend((*a.symbols, *rest) for a in grammar.rules[configuration[0].name])
        else:
            found.append(configuration)
    return found if len(set(found)) == len(found) else None


def test_the_listed_titles_are_a_distribution_and_agree_with_brute_force(tiny_titles: dict[str, float]) -> None:
    listed = tiny_titles
    assert math.fsum(listed.values()) == pytest.approx(1, abs=1e-12)
    brute: dict[str, float] = collections.defaultdict(float)
    for text, probability in all_derivations(TINY):
        brute[text] += probability
    assert listed.keys() == brute.keys()
    assert len(listed) == TINY.n_titles_possible == 116
    for title, probability in brute.items():
        assert listed[title] == pytest.approx(probability, rel=1e-12)


def test_log_prob_agrees_with_the_listed_titles(tiny_titles: dict[str, float]) -> None:
    for title, probability in tiny_titles.items():
        assert TINY.log_prob(title) == pytest.approx(math.log(probability), abs=1e-12)


@pytest.mark.parametrize("title", ["", "Rust", "Rust 1.0 ", "Show HN: Pix – a ma", "Go 1.10 released!", "rust 1.0"])
def test_what_the_grammar_cannot_make_has_probability_zero(title: str) -> None:
    assert TINY.log_prob(title) == -math.inf


def test_entropy_and_length_agree_with_the_listed_titles(tiny_titles: dict[str, float]) -> None:
    entropy = -sum(p * math.log(p) for p in tiny_titles.values())
    assert TINY.entropy_nats_per_title == pytest.approx(entropy, abs=1e-12)
    assert TINY.mean_chars_per_title == pytest.approx(sum(p * len(t) for t, p in tiny_titles.items()), abs=1e-12)


def test_sampling_follows_the_probabilities(tiny_titles: dict[str, float]) -> None:
    n = 40_000
    rng = np.random.default_rng(7)
    counts = collections.Counter(TINY.sample(rng) for _ in range(n))
    assert counts.keys() <= tiny_titles.keys()
    for title, probability in tiny_titles.items():
        deviation = math.sqrt(n * probability * (1 - probability))
        assert abs(counts[title] - n * probability) < 5 * deviation


def test_empirical_entropy_is_within_four_standard_errors() -> None:
    grammar = load_grammar("sample")
    rng = np.random.default_rng(11)
    nats = np.array([-grammar.log_prob(grammar.sample(rng)) for _ in range(4000)])
    standard_error = nats.std(ddof=1) / math.sqrt(len(nats))
    assert abs(nats.mean() - grammar.entropy_nats_per_title) < 4 * standard_error


def test_a_list_is_weighted_by_rank() -> None:
    grammar = Grammar.from_rules({"title": ["a", "b", "c"]})
    total = 1 / 4 + 1 / 5 + 1 / 6
    assert [a.probability for a in grammar.rules["title"]] == pytest.approx(
        [1 / 4 / total, 1 / 5 / total, 1 / 6 / total]
    )


@pytest.mark.parametrize("name", ["sample", "tiny"])
def test_shipped_grammars_are_unambiguous(name: str) -> None:
    assert find_ambiguity(load_grammar(name)) is None


@pytest.mark.parametrize(
    "rules",
    [
        {"title": ["a", "a"]},
        {"title": ["{x}{y}"], "x": ["a", "ab"], "y": ["bc", "c"]},
        {"title": ["{x}", "{y}"], "x": ["News", "Rust"], "y": ["Go", "Rust"]},
        {"title": ["a{x}b"], "x": {"": 1, "{y}": 1}, "y": {"": 1, "c": 1}},
        {"title": ["Fix {x} now", "{y} now"], "x": ["it"], "y": ["Fix {x}", "Go"]},
    ],
)
def test_ambiguity_is_found(rules: dict[str, object]) -> None:
    grammar = Grammar.from_rules(rules)  # type: ignore[arg-type]
    texts = [text for text, _ in all_derivations(grammar)]
    prefix = find_ambiguity(grammar)
    assert prefix is not None
    assert any(text.startswith(prefix) and texts.count(text) > 1 for text in texts)


def test_log_prob_of_an_ambiguous_title_sums_over_derivations() -> None:
    grammar = Grammar.from_rules({"title": {"{x}{y}": 1}, "x": {"a": 1, "ab": 1}, "y": {"bc": 3, "c": 1}})
    assert math.exp(grammar.log_prob("abc")) == pytest.approx(1 / 2 * 3 / 4 + 1 / 2 * 1 / 4)


texts = st.lists(
    st.sampled_from(["a", "b", "ab", "ba", "", "{y}", "{z}", "a{y}", "{z}b", "{y}{z}"]), min_size=1, max_size=4
)
leaves = st.lists(st.sampled_from(["a", "b", "ab", "aa", ""]), min_size=1, max_size=3)


@settings(max_examples=150, deadline=None)
@given(title=texts, y=leaves, z=leaves)
def test_the_proof_of_unambiguity_agrees_with_brute_force(title: list[str], y: list[str], z: list[str]) -> None:
    # The frame makes every title non-empty and uses every rule.
    grammar = Grammar.from_rules({"title": ["({body})", "[{y}.{z}]"], "body": title, "y": y, "z": z})
    brute: dict[str, float] = collections.defaultdict(float)
    made = []
    for text, probability in all_derivations(grammar):
        made.append(text)
        brute[text] += probability
    assert (find_ambiguity(grammar) is None) == (len(made) == len(set(made)))
    for text, probability in brute.items():
        assert math.exp(grammar.log_prob(text)) == pytest.approx(probability)
    alphabet = {"".join(letters) for n in range(4) for letters in itertools.product("()ab", repeat=n)}
    assert all(grammar.log_prob(text) == -math.inf for text in alphabet - brute.keys())


@pytest.mark.parametrize("name", ["sample", "tiny"])
def test_shipped_rules_are_sound(name: str) -> None:
    """Every rule is used, every brace refers to one, and no title is empty, has spaces at its ends, or holds a `<`."""
    written = json.loads((Path(rules_module.__file__).parent / f"{name}_grammar.json").read_bytes())["rules"]
    grammar = load_grammar(name)
    refs = {ref for alternatives in grammar.rules.values() for a in alternatives for ref in a.refs}
    assert refs | {grammar.start} == set(written) == set(grammar.rules)
    for body in written.values():
        assert isinstance(body, list | dict) and body
        assert all(0 < weight < math.inf for weight in (body.values() if isinstance(body, dict) else [1.0]))
    texts = [s for alts in grammar.rules.values() for a in alts for s in a.symbols if isinstance(s, str)]
    assert not any(set("{}<") & set(text) for text in texts)
    for backwards in (False, True):
        edges: dict[str, set[str]] = {}
        for rule, alternatives in grammar.rules.items():
            edges[rule] = set().union(*(edges_of(a.symbols, edges, backwards) for a in alternatives))
        assert all(text.strip() for text in edges[grammar.start])


def edges_of(symbols: tuple[str | Ref, ...], of_rules: dict[str, set[str]], backwards: bool) -> set[str]:
    """Characters that an expansion may begin with, or end with; "" if it may be empty."""
    found: set[str] = set()
    for symbol in symbols[::-1] if backwards else symbols:
        edge = {symbol[-1 if backwards else 0]} if isinstance(symbol, str) else of_rules[symbol.name]
        found |= edge - {""}
        if "" not in edge:
            return found
    return found | {""}


def test_unknown_and_recursive_rules_are_refused() -> None:
    with pytest.raises(KeyError):
        Grammar.from_rules({"title": ["{nam}"], "name": ["x"]})
    with pytest.raises(graphlib.CycleError):
        Grammar.from_rules({"title": ["{a}"], "a": ["{title}"]})
