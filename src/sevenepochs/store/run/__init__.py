"""The contract between training, which writes a run, and everything else, which reads it. No torch.

    runs/<UTC time>_<recipe>_s<seed>/     layout.py names what it holds

`RunWriter` writes, one process at a time; `Run` reads. A run is complete when summary.json exists, which is written
last. Every file is whole or absent, but for the last line of the two logs. Tensors are safetensors with their hash, the
rest is JSON: no pickle.
"""

from sevenepochs.store.run.layout import SCHEMA_VERSION
from sevenepochs.store.run.reader import Run, State, find_run, list_runs
from sevenepochs.store.run.storage import Tensors
from sevenepochs.store.run.writer import RunWriter, SilentWriter, write_analysis

__all__ = ["SCHEMA_VERSION", "Run", "RunWriter", "SilentWriter", "State", "Tensors"]
__all__ += ["find_run", "list_runs", "write_analysis"]
