"""This program as a process: what it is called by, and what is set before it prints or imports anything."""

from __future__ import annotations

import io
import os
import shlex
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType


def program() -> str:
    """How this program is called here, for the commands that it prints to be copied: bare where the shell finds it,
    else the path that it was called by, quoted for a shell."""
    called = sys.argv[0]
    is_found = Path(called).name != "sevenepochs" or shutil.which("sevenepochs") is not None
    return "sevenepochs" if is_found else shlex.quote(called)


def is_first_process() -> bool:
    """Return whether this process prints: the only one, or the first of several that torchrun started."""
    return os.environ.get("RANK", "0") == "0"


def prepare() -> None:
    """Letters that the terminal lacks become question marks, and Ctrl-C ends an import of torch in good order."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else whoever started this has it ignored
        signal.signal(signal.SIGINT, _interrupt)


def _interrupt(number: int, frame: FrameType | None) -> None:
    """As Python does; but torch's C++ initialisation aborts the process when an exception reaches it."""
    torch = sys.modules.get("torch")
    if getattr(getattr(torch, "__spec__", None), "_initializing", False):
        os.write(2, b"interrupted\n")
        os._exit(130)
    signal.default_int_handler(number, frame)
