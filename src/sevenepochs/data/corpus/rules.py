"""A probabilistic context-free grammar without recursion, of which everything can be computed exactly.

Rules map a name to alternatives; an alternative is a text in which {name} stands for another rule. A list gives its
alternatives Zipf-like weights by rank, 1/4, 1/5, 1/6, ...; an object gives them the weights that it says:

    {"title": {"Show HN: {show}": 2, "{topic} in {year}": 1}, "show": ["a", "b"], ...}

Titles are drawn independently. A title's probability is the sum over its derivations (the inside algorithm). Entropy
and number of titles count derivations, so they are exact where each title has one derivation; a test proves that of the
grammars here.
"""

from __future__ import annotations

import bisect
import functools
import graphlib
import itertools
import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

Rules = Mapping[str, Mapping[str, float] | Sequence[str]]
_REFERENCE = re.compile(r"\{([a-z0-9_]+)\}")


class Ref(NamedTuple):
    """A rule's name where it stands in an alternative; literal text is a plain str."""

    name: str


class Alternative(NamedTuple):
    """One way to expand a rule."""

    probability: float
    symbols: tuple[str | Ref, ...]

    @property
    def refs(self) -> list[str]:
        return [symbol.name for symbol in self.symbols if isinstance(symbol, Ref)]


class Grammar:
    """Made by `from_rules`; nothing changes afterwards.

    Attributes:
        rules: alternatives by rule, children before parents; the last one is the start.
        start: the name of the rule that makes a title.
        entropy_nats_per_title: -sum p ln p over all titles.
        mean_chars_per_title: expected code points, without `<eos>`.
        n_titles_possible: number of titles.
    """

    def __init__(self, rules: dict[str, tuple[Alternative, ...]], start: str) -> None:
        self.rules = rules
        self.start = start
        self._cumulative = {
            name: list(itertools.accumulate(a.probability for a in alts)) for name, alts in rules.items()
        }
        self._first: dict[str, set[str]] = {}  # characters that an expansion may begin with; "" if it may be empty
        entropy: dict[str, float] = {}
        chars: dict[str, float] = {}
        count: dict[str, int] = {}
        for name, alternatives in rules.items():
            entropy[name] = math.fsum(
                a.probability * (math.fsum(entropy[r] for r in a.refs) - math.log(a.probability)) for a in alternatives
            )
            chars[name] = math.fsum(
                a.probability * math.fsum(len(s) if isinstance(s, str) else chars[s.name] for s in a.symbols)
                for a in alternatives
            )
            count[name] = sum(math.prod(count[r] for r in a.refs) for a in alternatives)
            self._first[name] = set().union(*(self._first_of(a) for a in alternatives))
        # The first character decides most choices, so a parse looks only at the alternatives that may begin with it.
        self._by_first = {
            name: {c: [a for a in alts if self._first_of(a) & {c, ""}] for c in self._first[name] | {""}}
            for name, alts in rules.items()
        }
        self.entropy_nats_per_title = entropy[start]
        self.mean_chars_per_title = chars[start]
        self.n_titles_possible = count[start]

    @staticmethod
    def from_rules(rules: Rules, start: str = "title") -> Grammar:
        """Compile the rules. A test checks those that ship: all used, titles stripped and without "<" (`<eos>`).

        Raises:
            KeyError, graphlib.CycleError: an unknown or a recursive rule.
        """
        compiled = {name: _compile(body) for name, body in rules.items()}
        refs = {name: [ref for a in alternatives for ref in a.refs] for name, alternatives in compiled.items()}
        ordered = graphlib.TopologicalSorter(refs).static_order()  # every recursion over the grammar is then one loop
        return Grammar({name: compiled[name] for name in ordered}, start)

    @functools.cached_property
    def kinds(self) -> tuple[Grammar, ...]:
        """One grammar per alternative of the start rule, where `log_prob` is ln p(title and this alternative)."""
        return tuple(Grammar({**self.rules, self.start: (one,)}, self.start) for one in self.rules[self.start])

    def sample(self, rng: np.random.Generator) -> str:
        """Draw one title. Uses `rng.random()` alone, the part of NumPy's generators that changes least."""
        return self.draw(rng)[1]

    def draw(self, rng: np.random.Generator) -> tuple[int, str]:
        """Draw one title as `sample` does; return its kind, the start rule's alternative by number, and the title."""
        pieces: list[str] = []
        stack: list[str | Ref] = [Ref(self.start)]
        kind = None
        while stack:
            symbol = stack.pop()
            if isinstance(symbol, str):
                pieces.append(symbol)
                continue
            alternatives = self.rules[symbol.name]
            # hi: rounding may leave the last cumulative weight a hair below 1.
            index = bisect.bisect_right(self._cumulative[symbol.name], rng.random(), hi=len(alternatives) - 1)
            kind = index if kind is None else kind
            stack.extend(reversed(alternatives[index].symbols))
        assert kind is not None, "the start is expanded first"
        return kind, "".join(pieces)

    def log_prob(self, title: str) -> float:
        """Return ln p(title) in nats, the end of the title included; -inf when the grammar cannot make it."""
        chart: dict[tuple[str, int], dict[int, float]] = {}

        def expand(name: str, begin: int) -> dict[int, float]:
            """Where an expansion that begins here may end -> its probability."""
            if (name, begin) in chart:
                return chart[name, begin]
            by_first = self._by_first[name]
            total: dict[int, float] = {}
            for probability, symbols in by_first.get(title[begin : begin + 1], by_first[""]):
                ends = {begin: probability}
                for symbol in symbols:
                    reached: dict[int, float] = {}
                    for end, p in ends.items():
                        if isinstance(symbol, Ref):
                            for further, q in expand(symbol.name, end).items():
                                reached[further] = reached.get(further, 0.0) + p * q
                        elif title.startswith(symbol, end):
                            end += len(symbol)
                            reached[end] = reached.get(end, 0.0) + p
                    ends = reached
                for end, p in ends.items():
                    total[end] = total.get(end, 0.0) + p
            chart[name, begin] = total
            return total

        probability = expand(self.start, 0).get(len(title), 0.0)
        return math.log(probability) if probability > 0 else -math.inf

    def _first_of(self, alternative: Alternative) -> set[str]:
        found: set[str] = set()
        for symbol in alternative.symbols:
            first = {symbol[0]} if isinstance(symbol, str) else self._first[symbol.name]
            found |= first - {""}
            if "" not in first:
                return found
        return found | {""}


def _compile(body: Mapping[str, float] | Sequence[str]) -> tuple[Alternative, ...]:
    weights = body if isinstance(body, Mapping) else {}
    weighted = [(text, weights.get(text, 1 / (rank + 4))) for rank, text in enumerate(body)]
    total = math.fsum(weight for _, weight in weighted)
    alternatives = []
    for text, weight in weighted:
        parts = _REFERENCE.split(text)  # literal, name, literal, name, ..., literal
        symbols = tuple(Ref(part) if i % 2 else part for i, part in enumerate(parts) if part)
        alternatives.append(Alternative(weight / total, symbols))
    return tuple(alternatives)
