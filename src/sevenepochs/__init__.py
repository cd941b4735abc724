"""sevenepochs: how low can a small GPT's validation loss go on Hacker News headlines in seven epochs, and why?

    >>> import sevenepochs
    >>> experiment = sevenepochs.load_recipe("demo_adamw").replace("optimizer.lr", 1e-3)
    >>> run = sevenepochs.train(experiment)
    >>> run.summary["figures"]["exact_val_loss"]

Names are imported when first used, so that `import sevenepochs` is quick.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sevenepochs.api import compare, evaluate, load_recipe, open_story, resume, train
    from sevenepochs.errors import UserError
    from sevenepochs.store.run import Run

# By default, threads that wait for work spin and take the processor from whoever needs it: beside one busy process a
# small run took three times as long (docs/performance.md). libgomp reads this once, when torch loads it.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "4000")

__all__ = ["Run", "UserError", "compare", "evaluate", "load_recipe", "open_story", "resume", "train"]
__version__ = "0.1.0"

_HOME = {
    "Run": "sevenepochs.store.run",
    "UserError": "sevenepochs.errors",
    "compare": "sevenepochs.api",
    "evaluate": "sevenepochs.api",
    "load_recipe": "sevenepochs.api",
    "open_story": "sevenepochs.api",
    "resume": "sevenepochs.api",
    "train": "sevenepochs.api",
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'sevenepochs' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
