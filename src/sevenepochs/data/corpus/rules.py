"""How a grammar is written, and its checks.

Rules map a name to alternatives; an alternative is a text in which {name} stands for another rule. A list gives its
alternatives Zipf-like weights by rank, 1/4, 1/5, 1/6, ...; an object gives them the weights that it says:

    {"title": {"Show HN: {show}": 2, "{topic} in {year}": 1}, "show": ["a", "b"], ...}
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

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


def compile_rules(rules: Rules, start: str) -> dict[str, tuple[Alternative, ...]]:
    """Alternatives by rule, children before parents.

    Raises:
        UserError: an unknown, unused or recursive rule, a bad weight, or a brace that refers to nothing.
    """
    return _ordered({name: _compile(name, body) for name, body in rules.items()}, start)


def _compile(name: str, body: Mapping[str, float] | Sequence[str]) -> tuple[Alternative, ...]:
    if isinstance(body, str) or not body:
        raise UserError(f"grammar: rule {name!r} needs a list of texts, or an object of texts and weights")
    texts = list(body)
    weights = list(body.values()) if isinstance(body, Mapping) else [1 / (rank + 4) for rank in range(len(texts))]
    for text, weight in zip(texts, weights, strict=True):
        if not (0 < weight < math.inf):
            raise UserError(f"grammar: rule {name!r}: the weight of {text!r} is {weight!r}; it must be above 0")
        if re.search(r"[{}]", _REFERENCE.sub("", text)):
            raise UserError(f"grammar: rule {name!r}: {text!r} has a brace that is not a {{reference}}")
    total = math.fsum(weights)
    return tuple(Alternative(w / total, _symbols(text)) for text, w in zip(texts, weights, strict=True))


def _symbols(text: str) -> tuple[str | Ref, ...]:
    parts = _REFERENCE.split(text)  # literal, name, literal, name, ..., literal
    symbols = [Ref(part) if i % 2 else part for i, part in enumerate(parts)]
    return tuple(s for s in symbols if s != "")


def _ordered(rules: dict[str, tuple[Alternative, ...]], start: str) -> dict[str, tuple[Alternative, ...]]:
    """The rules with children before parents, so that every recursion over the grammar is one loop."""
    done: dict[str, tuple[Alternative, ...]] = {}
    open_names: list[str] = []

    def visit(name: str) -> None:
        if name in done:
            return
        if name not in rules:
            raise UserError(f"grammar: no rule {name!r}{nearest(name, list(rules)[:30])}")
        if name in open_names:
            raise UserError(f"grammar: rule {name!r} contains itself ({' > '.join([*open_names, name])})")
        open_names.append(name)
        for alternative in rules[name]:
            for symbol in alternative.symbols:
                if isinstance(symbol, Ref):
                    visit(symbol.name)
        open_names.pop()
        done[name] = rules[name]

    visit(start)
    if unused := [name for name in rules if name not in done]:
        raise UserError(f"grammar: nothing uses the rule {unused[0]!r}; remove it, or refer to it as {{{unused[0]}}}")
    return done
