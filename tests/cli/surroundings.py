"""Run command lines in surroundings that users have: `python surroundings.py < cases.json > outcomes.json`.

A case is {"surroundings": NAME, "arguments": [...], "folder": DIR}. Each runs in a fork of its own. Libraries are
imported before, this package after the fork, as in a fresh process. Linux only.
"""

import contextlib
import fcntl
import importlib
import io
import json
import os
import pwd
import resource
import signal
import sys
import tomllib
from pathlib import Path

import huggingface_hub  # noqa: F401
import matplotlib.figure  # noqa: F401
import pyarrow.parquet  # noqa: F401
import rich.progress  # noqa: F401
import scipy.stats  # noqa: F401
import torch._functorch.config  # noqa: F401
import tyro  # noqa: F401

SECONDS = 100
PIPE_BYTES = 1_000_000
SCRIPT = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]["scripts"]["sevenepochs"]


def plain() -> None:
    """Nothing is different."""


def ascii_output(encoding: str = "ascii") -> None:
    """As Python opens standard output under PYTHONIOENCODING."""
    sys.stdout = io.TextIOWrapper(open(1, "wb", closefd=False), encoding=encoding)  # noqa: SIM115


def cp1252_output() -> None:
    ascii_output("cp1252")


def no_account() -> None:
    for name in ("HOME", "USER", "LOGNAME", "LNAME", "USERNAME", "XDG_CACHE_HOME", "SEVENEPOCHS_CACHE", "HF_HOME"):
        os.environ.pop(name, None)

    def getpwuid(uid: int) -> None:
        raise KeyError(f"getpwuid(): uid not found: {uid}")

    pwd.getpwuid = getpwuid  # type: ignore[assignment]


def closed_output() -> None:
    os.close(1)
    sys.stdout = sys.__stdout__ = None  # type: ignore[misc, assignment]


def file_size_limit() -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))


def run(surroundings: str, arguments: list[str], folder: str) -> dict[str, object]:
    """Exit code and output of a command line."""
    pipes = [os.pipe(), os.pipe()]
    for _, end in pipes:
        fcntl.fcntl(end, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    pid = os.fork()
    if pid == 0:
        for number, (_, end) in enumerate(pipes, start=1):
            os.dup2(end, number)
        signal.alarm(SECONDS)
        os.chdir(folder)
        sys.argv = ["sevenepochs", *arguments]
        code = 99
        try:
            globals()[surroundings]()
            module, _, function = SCRIPT.partition(":")
            code = getattr(importlib.import_module(module), function)() or 0
        except SystemExit as leaving:
            code = leaving.code if isinstance(leaving.code, int) else int(leaving.code is not None)
        except BaseException:
            sys.excepthook(*sys.exc_info())  # type: ignore[arg-type]
            code = 1
        finally:
            try:
                for stream in (sys.stdout, sys.stderr):
                    if stream is not None:
                        stream.flush()
            except BaseException:
                code = 120  # as the interpreter's
            with contextlib.suppress(BaseException):
                os._exit(code)
    for _, end in pipes:
        os.close(end)
    status = os.waitpid(pid, 0)[1]
    texts = []
    for start, _ in pipes:
        with open(start, "rb") as output:
            texts.append(output.read().decode(errors="replace"))
    return {"code": os.waitstatus_to_exitcode(status), "out": texts[0], "err": texts[1]}


if __name__ == "__main__":
    print(json.dumps([run(**case) for case in json.load(sys.stdin)]))
