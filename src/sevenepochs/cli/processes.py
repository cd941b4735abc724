"""`--nproc`: the same verb in several processes of this machine, which train one model together (train/ranks.py)."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
from collections.abc import Callable
from typing import Any, NoReturn

_GRACE_SECONDS = 30.0  # for the others to save or say what they have to


def speaks() -> bool:
    """Whether this process prints: of several that train together, the first one."""
    return os.environ.get("RANK", "0") == "0"


def is_started() -> bool:
    """Whether this process is one of several already, by `in_processes` or torchrun."""
    return "WORLD_SIZE" in os.environ


def leave(code: int) -> NoReturn:
    """End this process with that exit code.

    One of several goes without taking the interpreter apart: threads of torch can abort it there, with its run complete
    and on disk (seen once in CI; github.com/pytorch/pytorch/issues/190489), and the launcher then reports a failure.
    """
    if not is_started():
        sys.exit(code)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, ValueError, AttributeError):  # full, gone, or closed from the start
            stream.flush()
    os._exit(code)


def in_processes(n_processes: int, verb: Callable[..., None], arguments: dict[str, Any]) -> None:
    """Call `verb(**arguments)` in each of them, and leave with their exit code if it is not 0.

    One that fails takes the others with it, at the latest half a minute later. Ctrl-C reaches all of them; they save
    and stop by themselves.
    """
    from torch.multiprocessing.spawn import ProcessExitedException, start_processes

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    threads = max(1, cores // n_processes)
    processes = start_processes(
        _run, (n_processes, port, threads, verb, arguments), nprocs=n_processes, join=False, start_method="spawn"
    )
    assert processes is not None, "join=False returns the processes"
    while True:
        try:
            # a mistake ends all of them by themselves, and the first one, which says it, may not be the first to end
            if processes.join(grace_period=_GRACE_SECONDS):
                return
        except KeyboardInterrupt:
            continue  # they have been told, too
        except ProcessExitedException as stop:
            sys.exit(stop.exit_code)


def _run(
    rank: int, n_processes: int, port: int, threads: int, verb: Callable[..., None], arguments: dict[str, Any]
) -> None:
    import torch

    from sevenepochs.cli.main import guarded
    from sevenepochs.cli.program import prepare

    prepare()
    os.environ |= {"RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(n_processes)}
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.set_num_threads(threads)
    leave(guarded(lambda: verb(**arguments)))
