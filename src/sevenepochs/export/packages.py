"""The optional packages that exports need, asked for by name before any work is done."""

from __future__ import annotations

import importlib.util

from sevenepochs.errors import UserError, install


def require(*names: str) -> None:
    """Raise a UserError that names the missing packages and the command that installs them."""
    missing = [name for name in names if importlib.util.find_spec(name) is None]
    if missing:
        raise UserError(f"this export needs {', '.join(missing)}: {install('export')}")
