"""A run folder as bytes, for the way between machines that share no folder."""

from __future__ import annotations

import functools
import shutil
from collections.abc import Mapping
from pathlib import Path

from sevenepochs.store.run import checkpoint, layout, storage


def pack(run: Path) -> dict[str, bytes]:
    """Return the files of a run folder by their names below it, without its lock and unfinished ones. Nobody may write
    the folder meanwhile."""
    files = (path for path in sorted(run.rglob("*")) if path.is_file() and path.name != layout.LOCK)
    return {path.relative_to(run).as_posix(): path.read_bytes() for path in files if not path.name.startswith(".")}


def unpack(files: Mapping[str, bytes], run: Path) -> None:
    """Bring a run folder to the state that was packed; the caller holds its lock.

    A process killed in between leaves a run that can be resumed: the checkpoint is replaced as one, behind the metrics
    (what they have beyond it is cut then), and summary.json comes last, as in training.
    """
    saved = [name for name in files if name.startswith(f"{layout.CHECKPOINT}/")]
    first = [name for name in (layout.RUN, *files) if name in files and name not in (*saved, layout.SUMMARY)]
    _write(files, dict.fromkeys(first), run)
    if layout.FAILURE not in files:
        (run / layout.FAILURE).unlink(missing_ok=True)
    if saved:
        checkpoint.replace(run, lambda new: _write(files, {name: Path(name).name for name in saved}, new))
    if layout.SUMMARY in files:
        _write(files, {layout.SUMMARY: None}, run)
        for folder in (layout.CHECKPOINT, layout.CHECKPOINT_OLD, layout.CHECKPOINT_NEW):
            shutil.rmtree(run / folder, ignore_errors=True)


def _write(files: Mapping[str, bytes], names: Mapping[str, str | None], folder: Path) -> None:
    """Write files below a folder, under another name where one is given."""
    for name, other in names.items():
        path = folder / (other or name)
        path.parent.mkdir(parents=True, exist_ok=True)
        storage.write_atomic(path, functools.partial(Path.write_bytes, data=files[name]))
