"""Losses by token: the compact form, and what a run leaves for a mixture with other tokenizers."""

from pathlib import Path

import numpy as np
import pytest

from sevenepochs.ask.model import Model
from sevenepochs.errors import UserError
from sevenepochs.store.publishing import publish
from sevenepochs.store.results import Result
from sevenepochs.store.run import Run, layout
from sevenepochs.store.token_losses import UNIT_NATS, TokenLosses


def some(n: int = 5000) -> TokenLosses:
    rng = np.random.default_rng(0)
    return TokenLosses(-rng.gamma(2, 2, n), -rng.gamma(1, 0.3, n), rng.integers(0, 12, n))


def test_every_stretch_of_tokens_keeps_its_sum(tmp_path: Path) -> None:
    losses, file = some(), tmp_path / "x.npz"
    file.write_bytes(losses.to_bytes())
    back = TokenLosses.read(file)
    assert np.array_equal(back.n_bytes, losses.n_bytes)
    for ours, kept in ((losses.log_probs, back.log_probs), (losses.stop_log_probs, back.stop_log_probs)):
        assert np.abs(kept - ours).max() <= UNIT_NATS + 1e-9
        for low, high in ((0, 5000), (0, 9), (700, 4100)):
            assert abs(kept[low:high].sum() - ours[low:high].sum()) <= UNIT_NATS + 1e-9
    assert losses.to_bytes() == some().to_bytes()


@pytest.mark.parametrize("damage", [lambda data: data[:-40], lambda data: b"", lambda data: b"\x93NUMPY" + data])
def test_a_damaged_file_is_one_line(damage, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    file = tmp_path / "x.npz"
    file.write_bytes(damage(some().to_bytes()))
    with pytest.raises(UserError, match=r"x\.npz cannot be read"):
        TokenLosses.read(file)


def test_a_published_result_has_each_token_of_the_validation_titles(finished_run: Run, tmp_path: Path) -> None:
    """Its words' stops telescope: what a title's tokens lose is what its words lose."""
    tokens = Result.read(publish(finished_run, tmp_path)).token_losses()
    tensors = finished_run.load_tensors(layout.TITLE_LOSSES)
    titles = Model.load(finished_run).load_titles().validation
    assert tokens is not None and finished_run.summary is not None
    np.testing.assert_allclose(tokens.log_probs, tensors["log_probs"], atol=UNIT_NATS)
    ends = np.flatnonzero(tokens.n_bytes == 0)
    assert len(ends) == len(titles)
    for start, end, title in zip([0, *ends[:-1] + 1], ends, titles, strict=True):
        assert tokens.n_bytes[start:end].sum() == len(title.encode()) + 1  # the space before its first word
    assert (tokens.stop_log_probs <= UNIT_NATS).all()


def test_stops_are_the_tokens_that_begin_a_word(finished_run: Run) -> None:
    tokenizer = Model.load(finished_run).tokenizer
    stops = tokenizer.stops()
    for id in np.flatnonzero(stops):
        assert id == tokenizer.eos_id or tokenizer.show(int(id)).startswith(" ")
    ids = tokenizer.encode("Show HN: A")
    assert [bool(stops[id]) for id in ids] == [tokenizer.show(id).startswith(" ") for id in ids]
    assert stops[tokenizer.eos_id] and stops.sum() > 10
