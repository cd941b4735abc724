"""Parts that every export shares and that need no torch: its packages, an output folder that appears whole or not at
all (filled beside its place, then renamed), silence, and the facts that it returns."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout, suppress
from dataclasses import dataclass
from pathlib import Path

from sevenepochs.errors import UserError, install
from sevenepochs.store.run.storage import disk_errors

_ADVICE = "choose another folder with --out"


@dataclass(frozen=True)
class Exported:
    """`target`: the format, for people. `logit_difference`: the largest against the run's own model, fp32, probe.py."""

    path: Path
    target: str
    logit_difference: float


def require(*names: str) -> None:
    """Raise a UserError that names the missing packages and the command that installs them."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"this export needs {', '.join(missing)}: {install('export')}")


def check_free(out: Path) -> None:
    """Raise a UserError when `out` holds something: an export never overwrites."""
    with disk_errors(str(out), _ADVICE):
        if out.exists() and not out.is_dir():
            raise UserError(f"--out {out} is a file; name a new folder")
        if out.is_dir() and any(out.iterdir()):
            raise UserError(f"--out {out} is not empty; name a new folder or empty it first")


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Give an empty folder to fill; it becomes `out` when the block ends without an error, else it is removed. Raises
    UserError: `out` is taken, or cannot be written."""
    check_free(out)
    target = out.resolve()
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    missing = [parent for parent in partial.parents if not parent.exists()]  # innermost first
    with disk_errors(str(out), _ADVICE):
        try:
            partial.mkdir(parents=True)
            yield partial
            os.replace(partial, target)  # an empty folder may be replaced; one that was filled meanwhile may not
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            for folder in missing:
                with suppress(OSError):  # not empty, or never made
                    folder.rmdir()
            raise


@contextmanager
def quiet() -> Iterator[None]:
    """Keep libraries from logging, warning and printing while they write."""
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), redirect_stdout(None):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
