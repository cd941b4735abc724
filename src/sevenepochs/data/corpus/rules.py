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
import graphlib
import itertools
import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from sevenepochs.errors import UserError, nearest

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
        # characters that an expansion may begin and end with; "" if it may be empty
        self._first: dict[str, set[str]] = {}
        self._last: dict[str, set[str]] = {}
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
            self._first[name] = set().union(*(_edges(a.symbols, self._first, 0) for a in alternatives))
            self._last[name] = set().union(*(_edges(a.symbols, self._last, -1) for a in alternatives))
        # The first character decides most choices, so a parse looks only at the alternatives that may begin with it.
        self._by_first = {
            name: {
                c: [a for a in alts if _edges(a.symbols, self._first, 0) & {c, ""}] for c in self._first[name] | {""}
            }
            for name, alts in rules.items()
        }
        self.entropy_nats_per_title = entropy[start]
        self.mean_chars_per_title = chars[start]
        self.n_titles_possible = count[start]

    @staticmethod
    def from_rules(rules: Rules, start: str = "title") -> Grammar:
        """Compile and check the rules.

        Raises:
            UserError: an unknown, unused or recursive rule, a bad weight, a brace that refers to nothing, or titles
                that may be empty, begin or end with a space (the split strips titles, so their probability would be
                lost) or contain "<" (`<eos>`).
        """
        grammar = Grammar(_ordered({name: _compile(name, body) for name, body in rules.items()}, start), start)
        if any("<" in s for alts in grammar.rules.values() for a in alts for s in a.symbols if isinstance(s, str)):
            raise UserError('grammar: "<" is not allowed, so that no title can contain a special token such as <eos>')
        if not all(text.strip() for text in grammar._first[start] | grammar._last[start]):
            raise UserError("grammar: a title could be empty, or begin or end with a space; titles are stripped")
        return grammar

    def sample(self, rng: np.random.Generator) -> str:
        """Draw one title. Uses `rng.random()` alone, the part of NumPy's generators that changes least."""
        pieces: list[str] = []
        stack: list[str | Ref] = [Ref(self.start)]
        while stack:
            symbol = stack.pop()
            if isinstance(symbol, str):
                pieces.append(symbol)
                continue
            alternatives = self.rules[symbol.name]
            # hi: rounding may leave the last cumulative weight a hair below 1.
            index = bisect.bisect_right(self._cumulative[symbol.name], rng.random(), hi=len(alternatives) - 1)
            stack.extend(reversed(alternatives[index].symbols))
        return "".join(pieces)

    def enumerate(self, max_titles: int = 100_000) -> dict[str, float]:
        """Return every title with its probability.

        Raises:
            UserError: there are more than `max_titles`.
        """
        if self.n_titles_possible > max_titles:
            raise UserError(
                f"the grammar makes {self.n_titles_possible:.3g} titles, more than {max_titles:,}; use sample"
            )
        made: dict[str, dict[str, float]] = {}
        for name, alternatives in self.rules.items():
            made[name] = {}
            for probability, symbols in alternatives:
                parts = [[(s, 1.0)] if isinstance(s, str) else made[s.name].items() for s in symbols]
                for combination in itertools.product(*parts):
                    text = "".join(piece for piece, _ in combination)
                    p = probability * math.prod(p for _, p in combination)
                    made[name][text] = made[name].get(text, 0.0) + p
        return made[self.start]

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


def _edges(symbols: Sequence[str | Ref], of_rules: Mapping[str, set[str]], at: int) -> set[str]:
    """Characters that an expansion may begin with (`at` 0) or end with (-1); "" if it may be empty."""
    found: set[str] = set()
    for symbol in symbols if at == 0 else reversed(symbols):
        edge = {symbol[at]} if isinstance(symbol, str) else of_rules[symbol.name]
        found |= edge - {""}
        if "" not in edge:
            return found
    return found | {""}


def _compile(name: str, body: Mapping[str, float] | Sequence[str]) -> tuple[Alternative, ...]:
    if isinstance(body, str) or not body:
        raise UserError(f"grammar: rule {name!r} needs a list of texts, or an object of texts and weights")
    texts = list(body)
    weights = list(body.values()) if isinstance(body, Mapping) else [1 / (rank + 4) for rank in range(len(texts))]
    total = math.fsum(weights)
    alternatives = []
    for text, weight in zip(texts, weights, strict=True):
        if not (0 < weight < math.inf):
            raise UserError(f"grammar: rule {name!r}: the weight of {text!r} is {weight!r}; it must be above 0")
        if re.search(r"[{}]", _REFERENCE.sub("", text)):
            raise UserError(f"grammar: rule {name!r}: {text!r} has a brace that is not a {{reference}}")
        parts = _REFERENCE.split(text)  # literal, name, literal, name, ..., literal
        symbols = tuple(Ref(part) if i % 2 else part for i, part in enumerate(parts) if part)
        alternatives.append(Alternative(weight / total, symbols))
    return tuple(alternatives)


def _ordered(rules: dict[str, tuple[Alternative, ...]], start: str) -> dict[str, tuple[Alternative, ...]]:
    """The rules with children before parents, so that every recursion over the grammar is one loop."""
    refs = {name: [ref for a in alternatives for ref in a.refs] for name, alternatives in rules.items()}
    used = {start, *itertools.chain.from_iterable(refs.values())}
    for name in sorted(used - rules.keys()):
        raise UserError(f"grammar: no rule {name!r}{nearest(name, list(rules)[:30])}")
    for name in [name for name in rules if name not in used]:
        raise UserError(f"grammar: nothing uses the rule {name!r}; remove it, or refer to it as {{{name}}}")
    try:
        return {name: rules[name] for name in graphlib.TopologicalSorter(refs).static_order()}
    except graphlib.CycleError as error:
        cycle = error.args[1]
        raise UserError(f"grammar: rule {cycle[0]!r} contains itself ({' > '.join(cycle[::-1])})") from None
