"""What is remembered of typed titles: enough to save the work, never more than allowed."""

import numpy as np
import pytest

from sevenepochs.analysis.reader import Reader
from sevenepochs.run_folder import Run
from sevenepochs.serve.prefixes import Prefixes

TEXT = "Show HN: A small test of prefixes"


@pytest.fixture(scope="module")
def reader(finished_run: Run) -> Reader:
    return Reader.open(finished_run)


def count_ids(prefixes: Prefixes, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many ids each reading had to pass through the model."""
    counts: list[int] = []
    read_on = Reader.read_on
    monkeypatch.setattr(Reader, "read_on", lambda *given: counts.append(len(given[-1])) or read_on(*given))
    return counts


def test_only_new_tokens_are_read(reader: Reader, monkeypatch: pytest.MonkeyPatch) -> None:
    prefixes = Prefixes(reader, 10**8)
    counts = count_ids(prefixes, monkeypatch)
    context = reader.encode(TEXT)
    for length in (5, 6, 9, 7, 5, len(context)):
        prefixes.rows(context[:length])
    assert counts == [5, 1, 3, len(context) - 9]
    branch = context.copy()
    branch[4] = context[5]
    prefixes.rows(branch)
    assert counts[-1] == len(context) - 4
    np.testing.assert_allclose(
        np.stack([row.log_probs_V for row in prefixes.rows(branch)]), reader.all_log_probs(branch), atol=1e-4
    )
    np.testing.assert_allclose(
        np.stack([row.log_probs_V for row in prefixes.rows(context)]), reader.all_log_probs(context), atol=1e-4
    )


def test_memory_stays_bounded(reader: Reader) -> None:
    context = reader.encode(TEXT)
    one = Prefixes(reader, 0)
    one.rows(context)
    limit = 3 * one.n_bytes
    prefixes = Prefixes(reader, limit)
    generator = np.random.default_rng(0)
    for _ in range(30):
        prefixes.rows(np.concatenate([context[:1], generator.integers(3, 200, len(context) - 1)]))
        assert prefixes.n_bytes <= limit
