"""Where a run's titles are now; where they are not, the cause and what to type.

A config keeps the path as it was typed, so a relative one is found only from the folder where the run was started.
"""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from sevenepochs.data.corpus.base import CorpusConfig
from sevenepochs.data.corpus.development import Development, moved
from sevenepochs.data.corpus.file import FileCorpus
from sevenepochs.errors import UserError
from sevenepochs.store.run import Run


def place_of(run: Run, corpus: CorpusConfig | None = None) -> CorpusConfig:
    """Return the config that loads a run's titles: its own, or `corpus`, cut as its own is.

    Raises:
        UserError: as `check_at_hand`.
    """
    own = CorpusConfig.from_dict(run.config["corpus"])
    place = own if corpus is None else moved(own, corpus)
    check_at_hand(run, place)
    return place


def check_at_hand(run: Run, corpus: CorpusConfig) -> None:
    """Raise a UserError where `corpus` is the run's own and its file is not there.

    The message names the file where it is found from the folder that holds the runs' folder.
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
