"""Where derived data (trained tokenizers) is kept between runs."""

from __future__ import annotations

import os
from pathlib import Path


def cache_dir() -> Path:
    """Return `$SEVENEPOCHS_CACHE`, else `$XDG_CACHE_HOME/sevenepochs`, else `~/.cache/sevenepochs`; for a user without
    a home `runs/.cache`. Safe to delete."""
    if explicit := os.environ.get("SEVENEPOCHS_CACHE"):
        return Path(explicit)
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sevenepochs"
    except RuntimeError:  # a user id without account, and no HOME: containers run so
        return Path("runs", ".cache")
