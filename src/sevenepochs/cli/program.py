"""The name that this program is called by, for the commands that it prints to be copied."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path


def program() -> str:
    """How this program is called here: bare where the shell finds it, else the path that it was called by."""
    called = sys.argv[0]
    return called if Path(called).name == "sevenepochs" and shutil.which("sevenepochs") is None else "sevenepochs"
