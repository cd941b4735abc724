"""A folder of somebody's source, parsed and never executed: its files, what they import, what cannot be read."""

from __future__ import annotations

import ast
import json
import os
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path

from sevenepochs.store.results import is_result
from sevenepochs.store.run import layout

MAX_FILES = 2_000
MAX_FILE_BYTES = 5_000_000
MAX_TOTAL_BYTES = 50_000_000
MAX_CODE_CHARS = 1_000_000  # of one file, a notebook's outputs left out; parsed, a character can take 150 bytes
MAX_CONFIG_BYTES = 100_000  # what is larger is data
MAX_TOTAL_NODES = 1_500_000
MAX_SYNTAX_NODES = 400_000
MAX_SYNTAX_DEPTH = 120
SKIPPED_FOLDERS = frozenset({
    ".git", ".hg", ".svn", ".venv", "venv", "env", "site-packages", "node_modules", "__pycache__",
    ".ipynb_checkpoints", "wandb", ".tox", ".mypy_cache",
})  # fmt: skip
CONFIG_SUFFIXES = frozenset({".yaml", ".yml", ".json", ".toml"})
CODE_SUFFIXES = frozenset({".py", ".ipynb"})


@dataclass(eq=False)
class SourceFile:
    """One parsed Python file or notebook (its code cells joined, so that lines count through the cells)."""

    path: str
    tree: ast.Module
    imports: list[str] = field(default_factory=list)


@dataclass
class SourceTree:
    """Every readable file of the folder, by path relative to it; `unread` maps the others to the reason."""

    root: Path
    files: dict[str, SourceFile] = field(default_factory=dict)
    configs: dict[str, str] = field(default_factory=dict)
    unread: dict[str, str] = field(default_factory=dict)

    def module_path(self, importer: str, dotted: str, level: int = 0) -> str | None:
        """The file that `import dotted` means in `importer`, or None when it is not in this folder."""
        parts = [part for part in dotted.split(".") if part]
        here = importer.split("/")[:-1]
        if level:
            starts = [here[: max(0, len(here) - level + 1)]]
        else:
            starts = [here[:n] for n in range(len(here), -1, -1)] + [["src"]]
        for start in starts:
            stem = "/".join(start + parts)
            for candidate in (f"{stem}.py", f"{stem}/__init__.py" if stem else "__init__.py"):
                if candidate in self.files:
                    return candidate
        return None

    def reachable(self, entry: str) -> list[str]:
        """The entry and every file of the folder that it imports, directly or not."""
        found, queue = [entry], [entry]
        while queue:
            for other in self.files[queue.pop()].imports:
                if other not in found:
                    found.append(other)
                    queue.append(other)
        return found


def read_tree(folder: Path) -> SourceTree:
    """Parse the folder's Python files and notebooks and keep the text of its config files."""
    source = SourceTree(folder)
    outputs: dict[Path, None] = {}
    total_bytes = total_nodes = 0
    for number, path in enumerate(_walk(folder)):
        relative = path.relative_to(folder).as_posix() if path != folder else path.name
        try:
            size = path.stat().st_size
            if path.suffix in CONFIG_SUFFIXES and size > MAX_CONFIG_BYTES:
                continue
            if path.suffix in CONFIG_SUFFIXES and (output := _output(path, folder)) is not None:
                outputs[output] = None
                continue
            if number >= MAX_FILES or total_bytes + size > MAX_TOTAL_BYTES or total_nodes > MAX_TOTAL_NODES:
                source.unread["the rest of the folder"] = f"more than {MAX_FILES:,} files or too much of them"
                break
            if size > MAX_FILE_BYTES:
                source.unread[relative] = f"larger than {MAX_FILE_BYTES:,} bytes"
                continue
            total_bytes += size
            data = path.read_bytes()
        except OSError as error:
            source.unread[relative] = error.strerror or "cannot be opened"
            continue
        if path.suffix in CONFIG_SUFFIXES:
            source.configs[relative] = data.decode("utf-8", errors="replace")
            continue
        try:
            tree, n_nodes = parse(data, notebook=path.suffix == ".ipynb")
        except (SyntaxError, ValueError, RecursionError, MemoryError, LookupError, TypeError, AttributeError) as error:
            line = f", line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
            source.unread[relative] = f"does not parse as Python 3 ({type(error).__name__}{line})"
            continue
        total_nodes += n_nodes
        source.files[relative] = SourceFile(relative, tree)
    for file in source.files.values():
        file.imports = list(_imports(source, file))
    if outputs:
        first, more = next(iter(outputs)).relative_to(folder).as_posix(), len(outputs) - 1
        reason = "what a run left, no settings of a program; name it to have it audited"
        source.unread[first] = f"{reason} ({more} more such folders)" if more else reason
    return source


def _output(path: Path, folder: Path) -> Path | None:
    """The run folder or published result below `folder` that a file belongs to."""
    for parent in path.parents:
        if parent == folder:
            return None
        # one file's name alone may be anybody's
        is_run = all((parent / name).is_file() for name in (layout.RUN, layout.CONFIG, layout.CORPUS))
        if is_run or (is_result(parent) and (parent / layout.CERTIFICATE).is_file()):
            return parent
    return None


def parse(data: bytes, notebook: bool = False) -> tuple[ast.Module, int]:
    """The syntax tree of a file's bytes, and how many nodes it has.

    Raises:
        SyntaxError, ValueError, RecursionError, MemoryError, LookupError: it is not Python 3 or too large or deep.
    """
    if notebook:
        text = _notebook_code(data)
    else:
        encoding, _ = tokenize.detect_encoding(BytesIO(data).readline)
        text = data.decode(encoding)
    if "\0" in text or len(text) > MAX_CODE_CHARS:
        raise ValueError("NUL byte, or too long")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = ast.parse(text)
    level: list[ast.AST] = [tree]
    depth = nodes = 0
    while level:  # measured level by level, without recursion
        depth, nodes = depth + 1, nodes + len(level)
        if depth > MAX_SYNTAX_DEPTH or nodes > MAX_SYNTAX_NODES:
            raise ValueError("nested too deeply or too large")
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return tree, nodes


def _notebook_code(data: bytes) -> str:
    cells = json.loads(data.decode("utf-8", errors="replace")).get("cells", [])
    lines: list[str] = []
    for cell in cells:
        if cell.get("cell_type") == "code":
            text = cell.get("source", "")
            text = "".join(text) if isinstance(text, list) else str(text)
            cell_lines = text.splitlines()
            if cell_lines and cell_lines[0].startswith("%%"):
                continue  # another language
            lines += ["pass" if line.lstrip().startswith(("%", "!", "?")) else line for line in cell_lines]
    return "\n".join(lines)


def _walk(folder: Path) -> Iterator[Path]:
    """Code and config files below the folder in a stable order; links are not followed."""
    if folder.is_file():
        yield folder
        return
    suffixes = CODE_SUFFIXES | CONFIG_SUFFIXES
    for parent, folders, names in os.walk(folder, followlinks=False):
        folders[:] = sorted(name for name in folders if name not in SKIPPED_FOLDERS and not name.endswith(".egg-info"))
        for name in sorted(names):
            path = Path(parent, name)
            if path.suffix in suffixes and not path.is_symlink() and path.is_file():
                yield path


def _imports(source: SourceTree, file: SourceFile) -> Iterator[str]:
    for node in ast.walk(file.tree):
        targets: list[str | None] = []
        if isinstance(node, ast.Import):
            targets = [source.module_path(file.path, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            targets = [source.module_path(file.path, base, node.level)] if base or node.level else []
            targets += [source.module_path(file.path, f"{base}.{alias.name}", node.level) for alias in node.names]
        yield from (target for target in targets if target and target != file.path)
