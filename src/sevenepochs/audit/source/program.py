"""A program: an entry file with what it imports, its syntax nodes, and the places that were found in it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sevenepochs.audit.source.normal import DEFINITIONS, Scope, last_name, names_in
from sevenepochs.audit.source.tree import SourceFile, SourceTree

Nodes = list[Any]  # syntax nodes of a program


@dataclass(frozen=True)
class Known:
    """One known version of a place: hashes of its normal form and of its statements, its function's name, its lines."""

    digest: str
    statements: frozenset[str]
    name: str | None = None
    lines: tuple[str, ...] = ()


@dataclass
class Program:
    """An entry file with what it imports, and the nodes of each place that was found."""

    source: SourceTree
    entry: str
    places: dict[str, Nodes] = field(default_factory=dict)

    @cached_property
    def trees(self) -> dict[Any, str]:
        return {self.source.tree(path): path for path in self.source.reachable(self.entry)}

    @cached_property
    def scope(self) -> Scope:
        return Scope.of(self.trees)

    @cached_property
    def parents(self) -> dict[Any, Any]:
        return {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}

    @cached_property
    def nodes(self) -> Nodes:
        return [node for tree in self.trees for node in ast.walk(tree)]

    @cached_property
    def calls(self) -> list[ast.Call]:
        return self.all(ast.Call)

    def all(self, *kinds: type[ast.AST]) -> Nodes:
        """Every node of these kinds, the entry's first."""
        return [node for node in self.nodes if isinstance(node, kinds)]

    def above(self, node: Any) -> Iterator[Any]:
        """The nodes that hold a node, the innermost first."""
        while (node := self.parents.get(node)) is not None:
            yield node

    def scope_of(self, node: Any) -> Any:
        """The innermost function that holds a node, else its file's tree."""
        return next(one for one in self.above(node) if isinstance(one, ast.FunctionDef | ast.Module))

    def file(self, node: Any) -> SourceFile:
        return self.source.files[self.trees[[node, *self.above(node)][-1]]]

    def where(self, node: Any, *, whole: bool = False) -> str:
        """The line on which a node begins, or all of its lines."""
        line = getattr(node, "lineno", 1)
        return self.file(node).where(line, node.end_lineno if whole else None)

    def defined(self, names: Iterable[str | None]) -> Nodes:
        """Definitions of these names: the entry's first, and of one file the last one, which Python takes."""
        wanted, order = set(names), list(self.trees.values())
        found = [node for node in self.all(*DEFINITIONS) if node.name in wanted]
        return sorted(found, key=lambda node: (order.index(self.file(node).path), -node.lineno))

    def statements_with(self, wanted: Callable[[ast.Call], bool]) -> Nodes:
        """The statements that make such a call."""
        return [
            next(one for one in self.above(call) if isinstance(one, ast.stmt)) for call in self.calls if wanted(call)
        ]

    def is_conditional(self, node: Any) -> bool:
        return any(isinstance(one, ast.If | ast.IfExp | ast.Match | ast.Dict) for one in self.above(node))

    @cached_property
    def called(self) -> set[str]:
        """Names of what the program calls outside every condition."""
        return {last_name(call) for call in self.calls if not self.is_conditional(call)}

    @cached_property
    def assigned(self) -> dict[str, Nodes]:
        """The values that the program assigns to each name."""
        found: dict[str, Nodes] = {}
        for node in self.all(ast.Assign):
            for target in node.targets:
                found.setdefault(last_name(target), []).append(node.value)
        return found

    def text_length(self, node: Any) -> int | None:
        """The length of a text that is spelt out, also by a name or a product; None where it is not."""
        if isinstance(node, ast.Constant):
            return len(node.value) if isinstance(node.value, str) else None
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
            length, count = self.text_length(node.left), getattr(node.right, "value", None)
            return length * count if length is not None and isinstance(count, int) and 0 <= count < 10**9 else None
        values = self.assigned.get(last_name(node), [])
        return self.text_length(values[0]) if len(values) == 1 and not names_in(values[0]) else None


def calls_in(node: ast.AST) -> list[ast.Call]:
    return [child for child in ast.walk(node) if isinstance(child, ast.Call)]


def targets(node: ast.AST) -> list[ast.expr]:
    """What a statement assigns to."""
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AnnAssign | ast.AugAssign | ast.For) else []
