"""A probabilistic context-free grammar without recursion, of which everything can be computed exactly.

How rules are written: data/corpus/rules.py. Titles are drawn independently. A title's probability is the sum over its
derivations (the inside algorithm); entropy and number of titles count derivations, so they are exact when there is one
derivation per title, which a test proves of the grammars here.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterator, Sequence

import numpy as np

from sevenepochs.data.corpus.rules import Alternative, Ref, Rules, compile_rules
from sevenepochs.errors import UserError


class Grammar:
    """See the module's docstring. Built once by `from_rules`; nothing changes afterwards.

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
            refs = [[s.name for s in a.symbols if isinstance(s, Ref)] for a in alternatives]
            entropy[name] = math.fsum(
                a.probability * (math.fsum(entropy[r] for r in rs) - math.log(a.probability))
                for a, rs in zip(alternatives, refs, strict=True)
            )
            chars[name] = math.fsum(
                a.probability * math.fsum(len(s) if isinstance(s, str) else chars[s.name] for s in a.symbols)
                for a in alternatives
            )
            count[name] = sum(math.prod(count[r] for r in rs) for rs in refs)
            self._first[name] = set().union(*(self._first_of(a.symbols) for a in alternatives))
        # The first character decides most choices, so a parse looks only at the alternatives that may begin with it.
        self._by_first = {
            name: {c: [a for a in alts if self._first_of(a.symbols) & {c, ""}] for c in self._first[name] | {""}}
            for name, alts in rules.items()
        }
        self.entropy_nats_per_title = entropy[start]
        self.mean_chars_per_title = chars[start]
        self.n_titles_possible = count[start]

    @staticmethod
    def from_rules(rules: Rules, start: str = "title") -> Grammar:
        """Compile and check the rules.

        Raises:
            UserError: an unknown, unused or recursive rule, a bad weight, or titles that may be empty, begin or end
                with a space (the split strips titles, so their probability would be lost) or contain "<" (`<eos>`).
        """
        grammar = Grammar(compile_rules(rules, start), start)
        if "<" in "".join(grammar._literals()):
            raise UserError('grammar: "<" is not allowed, so that no title can contain a special token such as <eos>')
        for text in itertools.chain(grammar._first[start], _last_characters(grammar)):
            if not text.strip():
                raise UserError("grammar: a title could be empty, or begin or end with a space; titles are stripped")
        return grammar

    def sample(self, rng: np.random.Generator) -> str:
        """One title. Uses `rng.random()` alone, the part of NumPy's generators that changes least."""
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

    def log_prob(self, title: str) -> float:
        """ln p(title) in nats, the end of the title included; -inf when the grammar cannot make it."""
        probability = self._inside(title)
        return math.log(probability) if probability > 0 else -math.inf

    def enumerate(self, max_titles: int = 100_000) -> dict[str, float]:
        """Every title with its probability.

        Raises:
            UserError: there are more than `max_titles`.
        """
        if self.n_titles_possible > max_titles:
            raise UserError(
                f"the grammar makes {self.n_titles_possible:.3g} titles, more than {max_titles:,}; use sample"
            )
        made: dict[str, list[tuple[str, float]]] = {}
        for name, alternatives in self.rules.items():
            made[name] = []
            for probability, symbols in alternatives:
                parts = [[(s, 1.0)] if isinstance(s, str) else made[s.name] for s in symbols]
                for combination in itertools.product(*parts):
                    text = "".join(piece for piece, _ in combination)
                    made[name].append((text, probability * math.prod(p for _, p in combination)))
        titles: dict[str, float] = {}
        for text, probability in made[self.start]:
            titles[text] = titles.get(text, 0.0) + probability
        return titles

    def _inside(self, title: str) -> float:
        """Probability of the title, by the inside algorithm over (rule, position)."""
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

        return expand(self.start, 0).get(len(title), 0.0)

    def _first_of(self, symbols: Sequence[str | Ref]) -> set[str]:
        found: set[str] = set()
        for symbol in symbols:
            first = {symbol[:1]} if isinstance(symbol, str) else self._first[symbol.name]
            found |= first - {""}
            if "" not in first:
                return found
        return found | {""}

    def _literals(self) -> Iterator[str]:
        for alternatives in self.rules.values():
            for alternative in alternatives:
                yield from (s for s in alternative.symbols if isinstance(s, str))


def _last_characters(grammar: Grammar) -> set[str]:
    """Characters that a title may end with: the first ones of the grammar read backwards."""
    backwards = {
        name: tuple(
            Alternative(a.probability, tuple(s[::-1] if isinstance(s, str) else s for s in reversed(a.symbols)))
            for a in alts
        )
        for name, alts in grammar.rules.items()
    }
    return Grammar(backwards, grammar.start)._first[grammar.start]
