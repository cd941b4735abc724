"""Syntax trees, and the normal form of code.

In the normal form names of locals, comments, type hints, docstrings and log lines do not count, so two pieces of code
with one normal form do the same. Only hashes of normal forms are stored: a program is recognised, its text is not kept.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

DEFINITIONS = (ast.FunctionDef, ast.ClassDef)
_BODIES = ("body", "orelse", "finalbody", "handlers", "cases")
_SKIPPED = frozenset({"ctx", "type_comment", "returns", "annotation", "type_params", "kind"})
_LOGGERS = re.compile(r"print|log|info|debug|warning|write|set_\w+|add_scalar|flush|display")
_PLAIN_CALLS = re.compile(r"len|round|float|int|str|item|time|perf_counter|format|get_\w+|numel|dict|vars|asdict|size")
_RESULT = re.compile(r"val|loss|best", re.IGNORECASE)
_DATA = re.compile(r"x?_?(train|val|valid|validation|dev|test)(?:ing|s)?_?(ids|tokens|data|text|titles)")
_ONE_NAME = {"tokens": "ids", "data": "ids"}


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


def is_log_line(node: object) -> bool:
    """Whether a statement only shows values; one that works on a validation loss while it shows it does more."""
    call = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(call, ast.Call) or not _LOGGERS.fullmatch(last_name(call)):
        return False
    for child in (c for part in (*call.args, *call.keywords) for c in ast.walk(part)):
        if isinstance(child, ast.Call) and not _PLAIN_CALLS.fullmatch(last_name(child)):
            return False
        works = isinstance(child, ast.BinOp | ast.IfExp | ast.NamedExpr | ast.Lambda | ast.comprehension)
        if works and any(map(_RESULT.search, names_in(child))):
            return False
    return True


@dataclass
class Scope:
    """The meaning of a program's global names: imports, its own definitions, and the functions that are places."""

    imports: dict[str, str] = field(default_factory=dict)
    defined: set[str] = field(default_factory=set)
    places: dict[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, trees: Iterable[ast.Module]) -> Scope:
        nodes = [node for tree in trees for node in ast.walk(tree)]
        methods = {id(item) for node in nodes if isinstance(node, ast.ClassDef) for item in node.body}
        scope = cls(defined={n.name for n in nodes if isinstance(n, DEFINITIONS) and id(n) not in methods})
        for node in (node for node in nodes if isinstance(node, ast.Import | ast.ImportFrom)):
            begin = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            for alias in node.names:
                name = alias.name if begin or alias.asname else alias.name.split(".")[0]
                scope.imports[alias.asname or name] = begin + name
        return scope

    def imported(self, node: ast.AST) -> str:
        """Return a dotted name with its first part's import written out."""
        first, _, rest = dotted(node).partition(".")
        return f"{self.imports.get(first, first)}.{rest}"


@dataclass
class _Writer:
    """Writes nodes as text. `by_data`: names that say which data they hold keep saying it, also where they are bound;
    `anonymous`: all others are written alike instead of being numbered."""

    scope: Scope
    bound: set[str]
    by_data: bool
    anonymous: bool
    numbers: dict[str, str] = field(default_factory=dict)

    def name(self, name: str) -> str:
        if name in self.scope.places:
            return f"<{self.scope.places[name]}>"
        if (self.by_data or name not in self.bound) and (data := _DATA.fullmatch(name)):
            return f"<{'train' if data[1] == 'train' else 'val'} {_ONE_NAME.get(data[2], data[2])}>"
        is_own = name in self.bound or name in self.scope.defined
        if not is_own and (name in self.scope.imports or hasattr(builtins, name)):
            return self.scope.imports.get(name, name)
        return "_" if self.anonymous else self.numbers.setdefault(name, f"v{len(self.numbers)}")

    def write(self, node: ast.AST, skipped: Sequence[str] = ()) -> str:
        if isinstance(node, ast.Name | ast.arg):
            return self.name(node.id if isinstance(node, ast.Name) else node.arg)
        if isinstance(node, ast.Constant):
            is_number = isinstance(node.value, int | float) and not isinstance(node.value, bool)
            return repr(float(node.value) if is_number and abs(node.value) < 1e15 else node.value)  # type: ignore[arg-type]
        if isinstance(node, ast.Call) and last_name(node) == "tqdm" and node.args:
            return self.write(node.args[0])
        if isinstance(node, ast.AnnAssign | ast.Assign) and node.value is not None:
            return f"Assign({','.join(map(self.write, targets(node)))},{self.write(node.value)})"
        parts = []
        for name, value in ast.iter_fields(node):
            if name in _SKIPPED or name in skipped:
                continue
            if isinstance(value, list):
                written = [self.write(v) if isinstance(v, ast.AST) else repr(v) for v in value if not _counts_not(v)]
                parts.append(",".join(sorted(written) if name == "keywords" else written))
            elif isinstance(value, ast.AST):
                parts.append(self.write(value))
            else:
                parts.append(self.name(value) if isinstance(node, DEFINITIONS) and name == "name" else repr(value))
        return f"{type(node).__name__}({';'.join(parts)})"


def _counts_not(node: object) -> bool:
    """Whether it is a docstring, a log line, an annotation without a value, or pass."""
    is_text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
    is_bare = isinstance(node, ast.AnnAssign) and node.value is None
    return is_text or is_bare or isinstance(node, ast.Pass | ast.Global | ast.Nonlocal) or is_log_line(node)


def short_hash(text: str, digits: int) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:digits]


def hash_of(nodes: Sequence[ast.AST], scope: Scope, by_data: bool = False) -> str:
    """Return the hash of the normal form of some code."""
    writer = _Writer(scope, stored_names(nodes), by_data, False)
    return short_hash("\n".join(writer.write(node) for node in nodes if not _counts_not(node)), 16)


def marks_of(node: ast.AST, scope: Scope, by_data: bool = False) -> list[tuple[int, str]]:
    """Return (line, hash) of each statement in a node, a compound one by its head; all locals are called alike."""
    writer = _Writer(scope, stored_names([node]), by_data, True)
    marks, queue, seen = [], [node], Counter[str]()
    for one in queue:
        if isinstance(one, ast.stmt | ast.ExceptHandler) and not _counts_not(one):
            text = writer.write(one, _BODIES)
            seen[text] += 1
            marks.append((one.lineno, short_hash(f"{text} {seen[text]}", 8)))
        for inner in (getattr(one, name, None) for name in _BODIES):
            queue += [child for child in inner if isinstance(child, ast.AST)] if isinstance(inner, list) else []
    return sorted(marks)
