"""A proof that a grammar makes each title in one way only, or a text on which it fails.

The grammar has no recursion, so a derivation from left to right is a walk through finitely many configurations: the
literal text and rules still to be written. We read all titles at once, a character at a time, keeping the set of
configurations that the text so far may have led to (the subset construction that makes an automaton deterministic).
Two derivations of one title meet, at its end at the latest, in one configuration; every configuration leads to
some title. So the grammar is ambiguous exactly when some text reaches a configuration twice.
"""

from __future__ import annotations

from sevenepochs.corpus.grammar import Grammar
from sevenepochs.corpus.rules import Ref

_Configuration = tuple[str | Ref, ...]


def find_ambiguity(grammar: Grammar) -> str | None:
    """The beginning of a title that has two derivations, or None: then every title has exactly one."""
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
