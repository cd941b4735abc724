"""This program as a process: its name, and what is set before it prints or imports anything."""

from __future__ import annotations

import contextlib
import io
import os
import shlex
import shutil
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

from sevenepochs.errors import UserError


def program() -> str:
    """Return the program's name for printed commands: bare where the shell finds it, else the quoted path that it was
    called by."""
    called = sys.argv[0]
    is_found = Path(called).name != "sevenepochs" or shutil.which("sevenepochs") is not None
    return "sevenepochs" if is_found else shlex.quote(called)


def is_first_process() -> bool:
    """Return whether this process prints: the only one, or the first of several that torchrun started."""
    return os.environ.get("RANK", "0") == "0"


def is_only_process() -> bool:
    """Return whether torchrun started no others."""
    return os.environ.get("WORLD_SIZE", "1") == "1"


def prepare(*, outlives_output: bool = False) -> None:
    """Make output safe, whatever it goes to, and let Ctrl-C end an import of torch in good order.

    Letters that the output's encoding lacks become question marks. An output that is closed from the start goes
    nowhere.

    Args:
        outlives_output: whether the verb goes on when its output cannot be written any more, as training does. Others
            end with an error line, or silently when the reader went away.
    """
    _open_missing()
    sys.stdout = _safe(sys.stdout, is_vital=not outlives_output)
    sys.stderr = _safe(sys.stderr, is_vital=False)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # else whoever started this has it ignored
        signal.signal(signal.SIGINT, _interrupt)


def _open_missing() -> None:
    """Give closed standard streams /dev/null. Otherwise the next file to be opened would get their number, and with it
    what libraries print."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            opened = os.open(os.devnull, os.O_RDWR)
            if opened != number:
                os.dup2(opened, number)
                os.close(opened)
            setattr(sys, name, open(number, "r" if number == 0 else "w", closefd=False))  # noqa: SIM115


def _safe(stream: TextIO, *, is_vital: bool) -> TextIO:
    """The stream with letters replaced, on top of an `_Output` where its file is an ordinary one."""
    if not isinstance(stream, io.TextIOWrapper):
        return stream
    buffer: Any = stream.buffer
    raw = getattr(buffer, "raw", buffer)
    if type(raw) is not io.FileIO:
        stream.reconfigure(errors="replace")
        return stream
    output = _Output(raw.fileno(), is_vital)
    return io.TextIOWrapper(
        output if buffer is raw else io.BufferedWriter(output),
        encoding=stream.encoding,
        errors="replace",
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )


class _Output(io.FileIO):
    """A file that is given up at its first error: disk full, terminal hung up, reader gone."""

    def __init__(self, number: int, is_vital: bool) -> None:
        super().__init__(number, "w", closefd=False)
        self._is_vital = is_vital

    def write(self, data: Any) -> int:
        """Write, or send this and all that follows nowhere.

        Raises:
            BrokenPipeError: the output is vital and its reader went away.
            UserError: the output is vital and cannot be written.
        """
        try:
            return super().write(data)
        except OSError as error:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self.fileno())
            os.close(nowhere)
            if not self._is_vital:
                if self.fileno() == 1:
                    with contextlib.suppress(OSError):
                        line = f"output cannot be written any more ({error.strerror}); goes on without\n"
                        os.write(2, line.encode())
                return len(data)
            if isinstance(error, BrokenPipeError):
                raise
            raise UserError(f"the output cannot be written ({error.strerror}); send it elsewhere") from None


def _interrupt(number: int, frame: FrameType | None) -> None:
    """As Python does; but torch's C++ initialisation aborts the process when an exception reaches it."""
    torch = sys.modules.get("torch")
    if getattr(getattr(torch, "__spec__", None), "_initializing", False):
        os.write(2, b"interrupted\n")
        os._exit(130)
    signal.default_int_handler(number, frame)
