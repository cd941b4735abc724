"""A folder's source, parsed and never executed, and the programs in it: entry files with what they import.

A file is parsed when its tree is asked for, so a large repository costs what its training program costs.
"""

from __future__ import annotations

import ast
import re
import tokenize
import warnings
from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate, pairwise
from typing import Any

from sevenepochs.audit.folder import Folder, code_of
from sevenepochs.audit.source.syntax import DEFINITIONS, dotted, last_name

MAX_FILES = 6_000
MAX_FILE_BYTES = 1_000_000  # of Python; parsed, a byte can take 150
MAX_TOTAL_CHARS = 60_000_000
MAX_NODES = 500_000
MAX_DEPTH = 120
_MAX_SETTINGS_BYTES = 100_000  # what is larger is data
_MAX_PROGRAMS = 50  # entries that are looked at
_CODE, _SETTINGS = (".py", ".ipynb"), (".yaml", ".yml", ".json", ".toml")
_SCRIPT = re.compile(r"(?i).*\.(sh|bash|bat|ps1)|makefile|justfile|taskfile\.ya?ml|procfile")
_NAMES = r"\b(\s{0,9}\([^)]{0,4000}\)|[^#\n]*)"
_IMPORT = re.compile(rf"^[ \t]*(?:from[ \t]+(\.*)([\w.]*)[ \t]+import{_NAMES}|import\b([\w., \t]+))", re.MULTILINE)
_TEST = re.compile(r"(^|/)(tests?|conftest|test_[^/]*|[^/]*_test)(/|\.py$|$)")
_OF_CHALLENGE = ("hacker-news", "title", "eos", "validation_step", "iter_full_split", "val_frac")
_UNPARSED = (SyntaxError, ValueError, RecursionError, MemoryError, LookupError, TypeError)

Nodes = list[Any]  # syntax nodes of a program


@dataclass(eq=False)
class SourceFile:
    """One Python file, or a notebook's code cells joined; `cells` are the lines before which each cell begins."""

    path: str
    text: str
    cells: tuple[int, ...] = ()

    def where(self, first: int, last: int | None = None) -> str:
        """Return `file:12` or `file:12-20`; in a notebook `file:cell N:line`, cells and lines counted from 1."""
        cell = max(bisect_right(self.cells, first - 1), 1)
        before = self.cells[cell - 1] if self.cells else 0
        begin = f"{self.path}:cell {cell}" if self.cells else self.path
        return f"{begin}:{first - before}" + (f"-{last - before}" if last is not None and last > first else "")

    @cached_property
    def lines(self) -> list[str]:
        return self.text.split("\n")


@dataclass
class SourceTree:
    """The files of a folder by their path in it; `unread` maps a file to the reason why it was not read."""

    files: dict[str, SourceFile] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    scripts: dict[str, str] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)
    trees: dict[str, ast.Module] = field(default_factory=dict)
    n_nodes: int = 0

    def tree(self, path: str) -> ast.Module:
        """Return the syntax tree of a file; what does not parse, a notebook's cell or the whole file, is left out."""
        if path not in self.trees:
            file = self.files[path]
            self.trees[path] = whole = ast.Module([], [])
            for begin, end in pairwise([*(file.cells or (0,)), len(file.lines)]):
                try:
                    whole.body += ast.increment_lineno(self._parse("\n".join(file.lines[begin:end])), begin).body
                except _UNPARSED as error:
                    where = file.where(begin + ((isinstance(error, SyntaxError) and error.lineno) or 1))
                    self.unread[path] = f"does not parse as Python 3 ({type(error).__name__}, {where})"
        return self.trees[path]

    def _parse(self, text: str) -> ast.Module:
        if "\0" in text or self.n_nodes > MAX_NODES:
            raise ValueError("NUL byte, or too much code")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            tree = ast.parse(text)
        level: list[ast.AST] = [tree]
        for _ in range(MAX_DEPTH):  # measured level by level, without recursion
            self.n_nodes += len(level)
            level = [child for node in level for child in ast.iter_child_nodes(node)]
        if level or self.n_nodes > MAX_NODES:
            raise ValueError("nested too deeply or too large")
        return tree

    @cached_property
    def imports(self) -> dict[str, list[str]]:
        """The files of this folder that each file imports, read from its text."""
        return {path: list(dict.fromkeys(self._imports(path))) for path in self.files}

    def _imports(self, path: str) -> Iterator[str]:
        here = path.split("/")[:-1]
        for found in _IMPORT.finditer(self.files[path].text):
            level, base, whole = len(found[1] or ""), found[2] or "", found[3] or found[4] or ""
            names = [part.split()[0] for part in re.split(r"[,\n]", whole.strip().strip("()")) if part.split()]
            starts = [here[: max(0, len(here) - level + 1)]] if level else [here[:n] for n in range(len(here), -1, -1)]
            for name in names if found[4] else [base, *(f"{base}.{name}" for name in names)]:
                stems = ["/".join([*start, *filter(None, name.split("."))]) for start in [*starts, ["src"]]]
                modules = [f"{stem}{end}" for stem in stems if stem for end in (".py", "/__init__.py")]
                yield from [module for module in modules if module in self.files and module != path][:1]

    def reachable(self, entry: str) -> list[str]:
        """Return the entry and every file of the folder that it imports, directly or not."""
        return _closure([entry], self.imports)

    def programs(self) -> list[str]:
        """Return the entry files of the programs that train on titles, the likeliest first."""
        backward = {path for path, file in self.files.items() if ".backward(" in file.text}

        def order(path: str) -> tuple[object, ...]:
            name = path.rsplit("/", 1)[-1]
            shape = (name != "train.py", "__main__" not in self.files[path].text, not name.startswith("train"))
            return (*shape, path not in backward, path.count("/"), path)

        entries: list[str] = []
        for path in sorted(_closure(backward, _reversed(self.imports)), key=order)[:_MAX_PROGRAMS]:
            is_part = bool(entries) and (path not in backward or path in self.reachable(entries[0]))
            if not (_TEST.search(path) or is_part):
                text = "\n".join(self.files[file].text for file in self.reachable(path)).lower()
                entries += [path] if sum(word in text for word in _OF_CHALLENGE) >= 2 else []
        return entries


def _closure(starts: Iterable[str], graph: dict[str, list[str]]) -> list[str]:
    """Return the starts and all that can be reached from them, in the order of their discovery."""
    found = dict.fromkeys(starts)
    queue = list(found)
    for path in queue:
        new = [other for other in dict.fromkeys(graph.get(path, ())) if other not in found]
        found |= dict.fromkeys(new)
        queue += new
    return queue


def _reversed(graph: dict[str, list[str]]) -> dict[str, list[str]]:
    backward: dict[str, list[str]] = {}
    for one, others in graph.items():
        for other in others:
            backward.setdefault(other, []).append(one)
    return backward


def read_tree(folder: Folder) -> SourceTree:
    """Read a folder's source, settings files and scripts; the files nearest to its top come first."""
    source, total = SourceTree(), 0
    paths = [p for p in folder.files if p.suffix in (*_CODE, *_SETTINGS) or _SCRIPT.fullmatch(p.name)]
    for n_read, path in enumerate(paths):
        name, is_code, text = folder.name(path), path.suffix in _CODE, ""
        if n_read >= MAX_FILES or total > MAX_TOTAL_CHARS:
            source.unread["the rest of the folder"] = f"more than {MAX_FILES:,} files or too much of them"
            break
        try:
            if path.suffix == ".ipynb":
                cells = code_of(path)
                text = "\n".join(line for cell in cells for line in cell)
                source.files[name] = SourceFile(name, text, tuple(accumulate(map(len, cells[:-1]), initial=0)))
            elif path.stat().st_size > (MAX_FILE_BYTES if is_code else _MAX_SETTINGS_BYTES):
                source.unread |= {name: f"larger than {MAX_FILE_BYTES:,} bytes"} if is_code else {}
            elif is_code:
                with tokenize.open(path) as stream:
                    text = stream.read()
                source.files[name] = SourceFile(name, text)
            else:
                text = path.read_text(encoding="utf-8", errors="replace")
                (source.scripts if _SCRIPT.fullmatch(path.name) else source.settings)[name] = text
            total += len(text)
        except (OSError, *_UNPARSED) as error:
            source.unread[name] = f"cannot be read ({type(error).__name__})"
    if folder.own:
        reason = "what a run of ours left, no settings of a program; it is audited by itself"
        more = f" ({len(folder.own) - 1:,} more such folders)" if len(folder.own) > 1 else ""
        source.unread[folder.name(folder.own[0])] = reason + more
    return source


@dataclass
class Program:
    """An entry file with what it imports, and the nodes of each place that was found."""

    source: SourceTree
    entry: str
    places: dict[str, Nodes] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)  # functions that are places, by name

    @cached_property
    def trees(self) -> dict[Any, str]:
        return {self.source.tree(path): path for path in self.source.reachable(self.entry)}

    @cached_property
    def nodes(self) -> Nodes:
        return [node for tree in self.trees for node in ast.walk(tree)]

    @cached_property
    def parents(self) -> dict[Any, Any]:
        return {child: node for node in self.nodes for child in ast.iter_child_nodes(node)}

    @cached_property
    def functions(self) -> set[str]:
        """Names of everything that the program defines."""
        return {node.name for node in self.all(*DEFINITIONS)}

    @cached_property
    def imports(self) -> dict[str, str]:
        """The dotted name that each imported name stands for."""
        found: dict[str, str] = {}
        for node in self.all(ast.Import, ast.ImportFrom):
            begin = f"{node.module}." if isinstance(node, ast.ImportFrom) else ""
            for alias in node.names:
                name = alias.name if begin or alias.asname else alias.name.split(".")[0]
                found[alias.asname or name] = begin + name
        return found

    def imported(self, node: ast.AST) -> str:
        """Return a dotted name with its first part's import written out."""
        first, _, rest = dotted(node).partition(".")
        return f"{self.imports.get(first, first)}.{rest}"

    @cached_property
    def calls(self) -> list[ast.Call]:
        return self.all(ast.Call)

    def all(self, *kinds: type[ast.AST]) -> Nodes:
        """Return every node of these kinds, the entry's first."""
        return [node for node in self.nodes if isinstance(node, kinds)]

    def above(self, node: Any) -> Iterator[Any]:
        """Yield the nodes that hold a node, the innermost first."""
        while (node := self.parents.get(node)) is not None:
            yield node

    def scope_of(self, node: Any) -> Any:
        """Return the innermost function that holds a node, else its file's tree."""
        return next(one for one in self.above(node) if isinstance(one, ast.FunctionDef | ast.Module))

    def file(self, node: Any) -> SourceFile:
        return self.source.files[self.trees[[node, *self.above(node)][-1]]]

    def where(self, node: Any, *, whole: bool = False) -> str:
        """Return the line on which a node begins, or all of its lines."""
        line = getattr(node, "lineno", 1)
        return self.file(node).where(line, node.end_lineno if whole else None)

    def defined(self, names: Iterable[str | None]) -> Nodes:
        """Return definitions of these names: the entry's first, and of one file the last one, which Python takes."""
        wanted, order = set(names), list(self.trees.values())
        found = [node for node in self.all(*DEFINITIONS) if node.name in wanted]
        return sorted(found, key=lambda node: (order.index(self.file(node).path), -node.lineno))

    def statements_with(self, wanted: Callable[[ast.Call], bool]) -> Nodes:
        """Return the statements that make such a call."""
        calls = [call for call in self.calls if wanted(call)]
        return [next(one for one in self.above(call) if isinstance(one, ast.stmt)) for call in calls]

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

    @cached_property
    def onlookers(self) -> set[Any]:
        """Functions that put a model into evaluation mode and take no part in training.

        What leads to the epoch loop takes part in training, and so does all that this calls.
        """
        uses: dict[str, list[str]] = {}
        for call in self.calls:
            if isinstance(call.func, ast.Name) or last_name(getattr(call.func, "value", call)) in self.imports:
                uses.setdefault(self._holder(call), []).append(last_name(call))
        loops = map(self._holder, self.places.get("epoch loop", [])[-1:])
        training = set(_closure(_closure(loops, _reversed(uses)), uses))
        looks = {self.scope_of(call) for call in self.calls if training and last_name(call) == "eval"}
        return {scope for scope in looks if isinstance(scope, ast.FunctionDef) and scope.name not in training}

    def _holder(self, node: Any) -> str:
        scope = self.scope_of(node)
        return self.trees[scope] if isinstance(scope, ast.Module) else str(scope.name)
