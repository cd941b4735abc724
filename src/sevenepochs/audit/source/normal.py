"""The normal form of code, in which names of locals, comments, type hints, docstrings and log lines do not count.

Two pieces of code with one normal form do the same. Only hashes of normal forms are stored: a program is recognised,
its text is not kept.
"""

from __future__ import annotations

import ast
import builtins
import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sevenepochs.audit.source.program import Nodes, Program
from sevenepochs.audit.source.syntax import DEFINITIONS, last_name, names_in, stored_names, targets

_BODIES = ("body", "orelse", "finalbody", "handlers", "cases")
_SKIPPED = frozenset({"ctx", "type_comment", "returns", "annotation", "type_params", "kind"})
_LOGGERS = re.compile(r"print|log|info|debug|warning|write|set_\w+|add_scalar|flush|display")
_PLAIN_CALLS = re.compile(r"len|round|float|int|str|item|time|perf_counter|format|get_\w+|numel|dict|vars|asdict|size")
_RESULT = re.compile(r"val|loss|best", re.IGNORECASE)
_DATA = re.compile(r"x?_?(train|val|valid|validation|dev|test)(?:ing|s)?_?(ids|tokens|data|text|titles)")
_ONE_NAME = {"tokens": "ids", "data": "ids"}


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
class _Writer:
    """Writes nodes as text in which names of locals are numbers.

    Names that say which data they hold keep saying it, with `by_data` also where they are bound.
    """

    program: Program
    bound: set[str]
    by_data: bool
    numbers: dict[str, str] = field(default_factory=dict)

    def name(self, name: str) -> str:
        program = self.program
        if name in program.roles:
            return f"<{program.roles[name]}>"
        if (self.by_data or name not in self.bound) and (data := _DATA.fullmatch(name)):
            return f"<{'train' if data[1] == 'train' else 'val'} {_ONE_NAME.get(data[2], data[2])}>"
        is_own = name in self.bound or name in program.functions
        if not is_own and (name in program.imports or hasattr(builtins, name)):
            return program.imports.get(name, name)
        return self.numbers.setdefault(name, f"v{len(self.numbers)}")

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


def hash_of(nodes: Nodes, program: Program, by_data: bool) -> str:
    """Return the hash of the normal form of some code."""
    writer = _Writer(program, stored_names(nodes), by_data)
    return short_hash("\n".join(writer.write(node) for node in nodes if not _counts_not(node)), 16)


def marks_of(nodes: Nodes, program: Program, by_data: bool = False) -> list[tuple[Any, str]]:
    """Return each statement of some code with a hash of its normal form, a compound one's of its head alone."""
    bound, seen, marks = stored_names(nodes), Counter[str](), []
    inner = [child for node in nodes for child in ast.walk(node) if isinstance(child, ast.stmt | ast.ExceptHandler)]
    for statement in sorted((child for child in inner if not _counts_not(child)), key=lambda child: child.lineno):
        text = _Writer(program, bound, by_data).write(statement, _BODIES)
        seen[text] += 1
        marks.append((statement, short_hash(f"{text} {seen[text]}", 8)))
    return marks
