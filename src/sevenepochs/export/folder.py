"""An output folder that appears whole or not at all: filled beside its place, then renamed."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sevenepochs.errors import UserError


def check_free(out: Path) -> None:
    """Raise a UserError when `out` holds something: an export never overwrites."""
    try:
        taken = out.is_dir() and any(out.iterdir())
        is_file = out.exists() and not out.is_dir()
    except OSError as error:
        raise _unwritable(out, error) from None
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
    try:
        made = _make_parents(partial)
        yield partial
        os.replace(partial, target)  # an empty folder may be replaced; one that was filled meanwhile may not
    except BaseException as error:
        shutil.rmtree(partial, ignore_errors=True)
        for folder in reversed(made):
            if not any(folder.iterdir()):
                folder.rmdir()
        if isinstance(error, OSError):
            raise _unwritable(out, error) from None
        raise


def _make_parents(folder: Path) -> list[Path]:
    """Make `folder` and what is missing above it; the missing ones, outermost first."""
    missing = [parent for parent in folder.parents if not parent.exists()][::-1]
    folder.mkdir(parents=True)
    return missing


def _unwritable(out: Path, error: OSError) -> UserError:
    return UserError(f"cannot write {out}: {error.strerror or error}; choose another folder with --out")
