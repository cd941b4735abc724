"""Questions to a syntax tree that have no answer in `ast`."""

from __future__ import annotations

import ast
from collections.abc import Iterable

DEFINITIONS = (ast.FunctionDef, ast.ClassDef)


def last_name(node: ast.AST) -> str:
    """Return the last part of a dotted name, of a call the called one's."""
    node = node.func if isinstance(node, ast.Call) else node
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def dotted(node: ast.AST) -> str:
    """Return `a.b.c`; what hangs on a call or an index begins with a dot."""
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id if isinstance(node, ast.Name) else "", *reversed(parts)])


def calls_in(node: ast.AST) -> list[ast.Call]:
    return [child for child in ast.walk(node) if isinstance(child, ast.Call)]


def names_in(node: ast.AST) -> set[str]:
    """Return names and attribute names anywhere in a node."""
    return {last_name(child) for child in ast.walk(node) if isinstance(child, ast.Name | ast.Attribute)}


def targets(node: ast.AST) -> list[ast.expr]:
    """Return what a statement assigns to."""
    if isinstance(node, ast.Assign):
        return node.targets
    return [node.target] if isinstance(node, ast.AnnAssign | ast.AugAssign | ast.For) else []


def stored_names(nodes: Iterable[ast.AST]) -> set[str]:
    """Return the names that the code binds: parameters, targets, definitions."""
    inner = [child for node in nodes for child in ast.walk(node)]
    found = {node.id for node in inner if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}
    found |= {node.arg for node in inner if isinstance(node, ast.arg)}
    return found | {node.name for node in inner if isinstance(node, DEFINITIONS)}


def argument(call: ast.Call, position: int, name: str, default: object) -> ast.expr:
    """Return what a call gives to a parameter, else its default."""
    named = [word.value for word in call.keywords if word.arg == name]
    return [*named, *call.args[position : position + 1], ast.Constant(default)][0]  # type: ignore[arg-type]
