"""Code shown on a page is cut out of the package's source at build time: `learning/optim/muon.py:Muon.build`."""

from __future__ import annotations

import ast
import textwrap
from importlib import resources

from sevenepochs.errors import UserError


def excerpt(marker: str) -> str:
    """The source of a class, method or function without its docstring. `marker`: file below the package, colon, dotted
    name. Raises UserError: there is no such file or name, so that no page shows code that is gone."""
    file, _, name = marker.partition(":")
    try:
        source = resources.files("sevenepochs").joinpath(file).read_text(encoding="utf-8")
    except OSError:
        raise UserError(f"a page quotes {marker}, but the package has no {file}") from None
    node: ast.AST = ast.parse(source)
    for part in name.split("."):
        found = [n for n in ast.iter_child_nodes(node) if getattr(n, "name", None) == part]
        if not found:
            raise UserError(f"a page quotes {marker}, but {file} has no {name}")
        node = found[0]
    assert isinstance(node, ast.FunctionDef | ast.ClassDef), "only these have names"
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    kept = source.splitlines()[first - 1 : node.end_lineno]
    if ast.get_docstring(node) is not None and len(node.body) > 1:
        docstring = node.body[0]
        del kept[docstring.lineno - first : (docstring.end_lineno or 0) - first + 1]
    return textwrap.dedent("\n".join(kept)).strip("\n")
