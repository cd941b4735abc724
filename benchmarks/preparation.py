"""From a file of titles to token ids: time and memory for three numbers of titles of the embedded sample corpus.

The titles are written to parquet files first: making them up takes longer than preparing them, and is nobody's wait.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
N_TITLES = (100_000, 400_000, 1_000_000)


def preparation(n_titles: Sequence[int], rounds: int, threads: int, say: Callable[[str], None]) -> dict[str, Any]:
    """One row a number of titles, `rounds` runs each, taking turns.

    Raises:
        RuntimeError: a preparation failed.
    """
    with tempfile.TemporaryDirectory() as folder:
        say(f"writes {max(n_titles):,} titles ...")
        files = write_titles(Path(folder), n_titles)
        rows: dict[int, dict[str, Any]] = {n: {"runs": []} for n in n_titles}
        for number in range(rounds):
            for n, file in files.items():
                answer = _prepare(file, threads)
                rows[n] = {**answer["facts"], "runs": [*rows[n]["runs"], answer["run"]]}
                say(f"round {number + 1} of {rounds}, {n:,} titles: {sum(answer['run']['seconds'].values()):.1f} s")
    return {"rows": list(rows.values())}


def write_titles(folder: Path, n_titles: Sequence[int]) -> dict[int, Path]:
    """Parquet files by their number of titles; fewer titles are a prefix of more."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from sevenepochs.data.corpus.base import DEFAULT_COLUMN
    from sevenepochs.data.corpus.sample import SampleCorpus

    table = pa.table({DEFAULT_COLUMN: list(SampleCorpus(n_titles=max(n_titles)).load().rows)})
    files = {n: folder / f"titles_{n}.parquet" for n in n_titles}
    for n, file in files.items():
        pq.write_table(table.slice(0, n), file)
    return files


def _prepare(file: Path, threads: int) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as cache:
        done = subprocess.run(
            [sys.executable, str(HERE / "prepare.py"), str(file)],
            capture_output=True,
            text=True,
            env={**os.environ, "SEVENEPOCHS_CACHE": cache, "RAYON_NUM_THREADS": str(threads)},
        )
    if done.returncode:
        raise RuntimeError(f"preparing {file.name} failed:\n{done.stderr[-2000:]}")
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
