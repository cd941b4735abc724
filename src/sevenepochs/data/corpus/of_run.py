"""A run's own titles when they are no longer where its config says: the cause, and what to type.

A config keeps the path as it was typed, so a relative one is found from the folder only in which the run was started.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from sevenepochs.data.corpus.base import CorpusConfig
from sevenepochs.data.corpus.development import Development
from sevenepochs.data.corpus.file import FileCorpus
from sevenepochs.errors import UserError
from sevenepochs.store.run import Run


def check_at_hand(run: Run, corpus: CorpusConfig) -> None:
    """Raise a UserError where `corpus` is the run's own and its file is not there.

    The message names the file in its place where it lies relative to the folder that holds the runs' folder, as it does
    when the run was started there.
    """
    if corpus != CorpusConfig.from_dict(run.config["corpus"]):
        return
    inner = corpus.of if isinstance(corpus, Development) else corpus
    if not isinstance(inner, FileCorpus) or os.path.exists(inner.path):
        return
    started_in = run.path.resolve().parent.parent
    found = started_in / inner.path
    place = os.path.relpath(found) if found.is_file() else "PATH"
    options = [("--corpus", place), ("--column", inner.column), ("--encoding", inner.encoding)]
    typed = " ".join(f"{option} {shlex.quote(value)}" for option, value in options if value is not None)
    cause = "which is gone" if Path(inner.path).is_absolute() else "relative to the folder it was started in"
    raise UserError(
        f"run {run.name} was trained on {inner.path}, {cause}; say where the file is now: the same command with {typed}"
    )
