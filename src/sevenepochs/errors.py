"""The one error that is the user's to mend: the command line prints it as a single line and exits with 2.

Also the words that such lines share: near names, and commands that can be pasted.
"""

from __future__ import annotations

import shlex
from pathlib import Path


class UserError(ValueError):
    """Bad input. The message says what is wrong, where, and how to fix it, in one line."""


def nearest(word: str, choices: list[str], list_with: str | None = None) -> str:
    """`; did you mean 'x'?` when a close choice exists, else the choices themselves.

    Args:
        list_with: a command that lists the choices, where they are too many for a line; the nearest three are named.
    """
    import difflib

    if list_with is not None:
        three = ", ".join(map(repr, difflib.get_close_matches(word, choices, n=3, cutoff=0.0)))
        return f"; nearest: {three}; all {len(choices)}: {list_with}"
    close = difflib.get_close_matches(word, choices, n=1, cutoff=0.5)
    if close:
        return f"; did you mean {close[0]!r}? (known: {', '.join(choices)})"
    return f"; known: {', '.join(choices)}"


def command(*words: object) -> str:
    """`sevenepochs WORD ...` as a shell takes it: words with blanks and the like are quoted."""
    return shlex.join(["sevenepochs", *map(str, words)])


def install(extra: str) -> str:
    """The command that installs an extra of this package, for an installed package or a checkout."""
    source = Path(__file__).resolve().parents[1]
    if source.name == "src" and (source.parent / "pyproject.toml").is_file():
        return f'pip install -e ".[{extra}]" in the checkout'
    return f'pip install "sevenepochs[{extra}]"'
