"""What every export shares before torch is loaded: the packages it needs, an output folder that appears whole or not at
all (filled beside its place, then renamed), and what it hands back."""

from __future__ import annotations

import importlib.util
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sevenepochs.errors import UserError, install
from sevenepochs.store.run.storage import disk_errors

_ADVICE = "choose another folder with --out"


@dataclass(frozen=True)
class Exported:
    """`target`: what it is, for people. `logit_difference`: the largest against the run's own model, fp32, probe.py."""

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
        taken = out.is_dir() and any(out.iterdir())
        is_file = out.exists() and not out.is_dir()
    if is_file:
        raise UserError(f"--out {out} is a file; name a new folder")
    if taken:
        raise UserError(f"--out {out} is not empty; name a new folder or empty it first")


@contextmanager
def new_folder(out: Path) -> Iterator[Path]:
    """Give an empty folder to fill; it becomes `out` when the block ends without an error, else it is removed.

    Raises:
        UserError: `out` is taken, or cannot be written.
    """
    check_free(out)
    target = out.resolve()
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    made: list[Path] = []
    with disk_errors(str(out), _ADVICE):
        try:
            made = _make_parents(partial)
            yield partial
            os.replace(partial, target)  # an empty folder may be replaced; one that was filled meanwhile may not
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            for folder in reversed(made):
                if not any(folder.iterdir()):
                    folder.rmdir()
            raise


def _make_parents(folder: Path) -> list[Path]:
    """Make `folder` and what is missing above it; the missing ones, outermost first."""
    missing = [parent for parent in folder.parents if not parent.exists()][::-1]
    folder.mkdir(parents=True)
    return missing
