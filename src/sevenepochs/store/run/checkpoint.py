"""checkpoint/: tensors and a JSON state that are replaced as one.

A new checkpoint is made whole in checkpoint.new/, then checkpoint/ steps aside to checkpoint.old/ and the new one takes
its name. A process killed anywhere in between leaves a whole checkpoint under checkpoint/ or checkpoint.old/.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sevenepochs.errors import UserError
from sevenepochs.store.run import layout, storage


def save(run: Path, tensors: Mapping[str, Any], state: Mapping[str, Any]) -> None:
    """Replace the checkpoint. `state` holds JSON values and is kept exactly (floats, NaN, big integers)."""

    def write(new: Path) -> None:
        sha256 = storage.write_tensors(new / layout.CHECKPOINT_TENSORS, tensors)
        logs = {name: _log_so_far(run / name) for name in (layout.METRICS, layout.MAINRUN_LOG) if (run / name).exists()}
        record = {"tensors_sha256": sha256, "state_sha256": _sha256(state, logs), "state": dict(state)}
        record |= {"logs": logs} if logs else {}
        text = json.dumps(record, indent=2) + "\n"  # NaN stays NaN: a resumed run has the same values
        storage.write_text(new / layout.CHECKPOINT_STATE, text)

    replace(run, write)


def replace(run: Path, write: Callable[[Path], None]) -> None:
    """Let `write` fill a new folder, which then takes the checkpoint's place."""
    new = run / layout.CHECKPOINT_NEW
    repair(run)
    shutil.rmtree(new, ignore_errors=True)
    try:
        new.mkdir()
        write(new)
    except BaseException:
        shutil.rmtree(new, ignore_errors=True)
        raise
    current, old = run / layout.CHECKPOINT, run / layout.CHECKPOINT_OLD
    if current.exists():
        os.rename(current, old)
    os.rename(new, current)
    storage.sync_folder(run)
    shutil.rmtree(old, ignore_errors=True)


def repair(run: Path) -> None:
    """Finish or take back a swap that was cut short."""
    current, old = run / layout.CHECKPOINT, run / layout.CHECKPOINT_OLD
    if current.exists():
        shutil.rmtree(old, ignore_errors=True)
    elif old.exists():
        os.rename(old, current)


def exists(run: Path) -> bool:
    """Return whether there is a checkpoint, damaged ones included: `load` refuses those, and no run starts over in
    silence."""
    return (run / layout.CHECKPOINT).exists() or (run / layout.CHECKPOINT_OLD).exists()


def load(run: Path) -> tuple[storage.Tensors, dict[str, Any]]:
    """Return the newest whole checkpoint: (tensors, state). Raises UserError: there is none, or a byte of it has
    changed since it was written."""
    for last_attempt in (False, True):
        name = layout.CHECKPOINT if (run / layout.CHECKPOINT).exists() else layout.CHECKPOINT_OLD
        try:
            return _load(run, name)
        except UserError:
            # a writer may have swapped the folders meanwhile, so a second attempt is made
            if last_attempt and (run / name).exists():
                raise
    raise UserError(f"run {run.name} has no checkpoint yet: it stopped before the first one; train again")


def check_logs(run: Path) -> None:
    """Raise a UserError where a log is not what it was up to the checkpoint. Those of before December 2026 pass."""
    folder = layout.CHECKPOINT if (run / layout.CHECKPOINT).exists() else layout.CHECKPOINT_OLD
    where = f"{folder}/{layout.CHECKPOINT_STATE} of run {run.name}"
    record = storage.read_json(run / folder / layout.CHECKPOINT_STATE, where, "train again")
    for name, (size, sha256) in (record.get("logs") or {}).items():
        content = (storage.read_bytes(run / name, f"{name} of run {run.name}") or b"")[:size]
        if storage.sha256(content) != sha256:
            raise UserError(
                f"{name} of run {run.name} is corrupt (not what it was at the checkpoint); put it back from a copy, or "
                "train again"
            )


def _log_so_far(path: Path) -> tuple[int, str]:
    """The size and hash of a log, forced to disk: after a power cut it is not shorter than its checkpoint says."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())
        content = file.read()
    return len(content), storage.sha256(content)


def _load(run: Path, folder: str) -> tuple[storage.Tensors, dict[str, Any]]:
    where = f"{folder}/{layout.CHECKPOINT_STATE} of run {run.name}"
    advice = "this checkpoint cannot be used: put the file back from a copy, or train again"
    record = storage.read_json(run / folder / layout.CHECKPOINT_STATE, where, advice)
    try:
        state, tensors_sha256 = record["state"], record["tensors_sha256"]
        intact = isinstance(state, dict) and _sha256(state, record.get("logs") or {}) == record["state_sha256"]
    except (TypeError, KeyError):
        intact = False
    if not intact:
        raise UserError(f"{where} is corrupt (its bytes do not match the hash that it was written with); {advice}")
    name = f"{folder}/{layout.CHECKPOINT_TENSORS} of run {run.name}"
    tensors, metadata = storage.read_tensors(run / folder / layout.CHECKPOINT_TENSORS, name, advice)
    if metadata["sha256"] != tensors_sha256:
        raise UserError(f"{name} belongs to another checkpoint than {layout.CHECKPOINT_STATE}; {advice}")
    return tensors, state


def _sha256(state: Mapping[str, Any], logs: Mapping[str, Any]) -> str:
    """Hash of the canonical text, which reading and writing again does not change."""
    canonical = json.loads(json.dumps({"state": dict(state), "logs": dict(logs)} if logs else dict(state)))
    return hashlib.sha256(json.dumps(canonical, sort_keys=True).encode()).hexdigest()
