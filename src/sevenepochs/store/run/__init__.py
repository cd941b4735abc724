"""The contract between training, which writes a run, and everything else, which reads it. No torch.

    runs/<UTC time>_<recipe>_s<seed>/     see layout.py for what it holds

`RunWriter` writes, one process at a time; `Run` reads. A run is complete when summary.json exists, and it is written
last; every file is whole or absent, but for the last line of the two logs; tensors are safetensors with their hash, the
rest is JSON: no pickle anywhere.
"""

from sevenepochs.store.run.layout import SCHEMA_VERSION
from sevenepochs.store.run.reader import Run, State, find_run, list_runs
from sevenepochs.store.run.silent import SilentWriter
from sevenepochs.store.run.storage import Tensors
from sevenepochs.store.run.writer import RunWriter, write_analysis

__all__ = [
    "SCHEMA_VERSION",
    "Run",
    "RunWriter",
    "SilentWriter",
    "State",
    "Tensors",
    "find_run",
    "list_runs",
    "write_analysis",
]
