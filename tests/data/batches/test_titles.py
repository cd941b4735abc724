"""Reshuffled streams and rows of whole titles: nothing lost, nothing twice, nothing moved between titles."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sevenepochs.data.batches.stream import ShuffledStream
from sevenepochs.data.batches.title_rows import IGNORED, TitleRows
from sevenepochs.errors import UserError
from sevenepochs.protocol.rows import check_rows

EOS = 1


def stream(lengths):
    """Titles of so many tokens, each token another number, each title closed by `<eos>`."""
    ids, token = [], 2
    for length in lengths:
        ids += [*range(token, token + length), EOS]
        token += length
    return np.array(ids, dtype=np.int32)


def titles_of(ids):
    return sorted(tuple(part) for part in np.split(ids, np.flatnonzero(ids == EOS) + 1)[:-1])


def epoch_of(batches, epoch):
    first = (epoch - 1) * batches.steps_per_epoch + 1
    return [batches.batch(step) for step in range(first, first + batches.steps_per_epoch)]


LENGTHS = st.lists(st.integers(0, 14), min_size=1, max_size=60)


@settings(max_examples=50)
@given(LENGTHS, st.integers(1, 4), st.integers(2, 12), st.integers(0, 3))
def test_each_epoch_of_title_rows_has_every_target_once_with_its_own_context(lengths, batch_size, block_size, seed):
    ids = stream(lengths)
    inputs = {int(target): int(before) for before, target in zip([EOS, *ids[:-1]], ids, strict=True) if target != EOS}
    batches = TitleRows(batch_size=batch_size, block_size=block_size).build(ids, EOS, seed)
    for epoch in (1, 2):
        targets, n_eos = [], 0
        for x_BT, y_BT in epoch_of(batches, epoch):
            assert x_BT.shape == y_BT.shape == (batch_size, block_size) and x_BT.dtype == y_BT.dtype == np.int64
            for x_T, y_T in zip(x_BT, y_BT, strict=True):
                n = int((y_T != IGNORED).sum())
                assert (y_T[n:] == IGNORED).all() and (x_T[n:] == EOS).all()  # padding stands at the end
                assert x_T[1:n].tolist() == y_T[: max(0, n - 1)].tolist()  # each target is the next input
                for x, y in zip(x_T[:n].tolist(), y_T[:n].tolist(), strict=True):
                    if y != EOS:
                        targets.append(y)
                        assert inputs[y] == x
                n_eos += int((y_T == EOS).sum())
        assert sorted(targets) == sorted(inputs) and n_eos == len(lengths)


@settings(max_examples=50)
@given(LENGTHS, st.integers(2, 12))
def test_scoring_rows_of_whole_titles(lengths, block_size):
    ids = stream(lengths)
    rows = TitleRows(block_size=block_size).scoring_rows(ids, EOS)
    of_a_stream = ShuffledStream(block_size=block_size, scored_by="titles").scoring_rows(ids, EOS)
    assert all(map(np.array_equal, rows, of_a_stream))
    check_rows(rows, len(ids))
    begins = {0, *(np.flatnonzero(ids == EOS) + 1).tolist()}
    for start, first, stop in zip(*(column.tolist() for column in rows), strict=True):
        assert stop - start <= block_size
        assert start in begins or stop - start == block_size
        title_begins = max(b for b in begins if b <= first)
        # a cut title has all the left context that fits
        assert first == title_begins or start == max(title_begins, stop - block_size)


@settings(max_examples=50)
@given(LENGTHS, st.integers(2, 12), st.integers(0, 100))
def test_scoring_rows_of_a_part_that_ends_inside_a_title(lengths, block_size, n_left_out):
    """The certificate scores the first 8,192 tokens, wherever that is."""
    ids = stream(lengths)
    ids = ids[: max(1, len(ids) - n_left_out)]
    rows = TitleRows(block_size=block_size).scoring_rows(ids, EOS)
    check_rows(rows, len(ids))
    assert (rows.stop - rows.start).max() <= block_size


def test_packing_wastes_little_and_rows_change_company():
    lengths = np.random.default_rng(0).integers(4, 22, 3000)
    ids = stream(lengths)
    batches = TitleRows(batch_size=8, block_size=256).build(ids, EOS, seed=0)
    n_rows = -(-len(ids) // 256)
    assert batches.steps_per_epoch <= n_rows / 8 * 1.01 + 1
    assert batches.targets_per_step == round(len(ids) / batches.steps_per_epoch)
    neighbours = []
    for epoch in (1, 2):
        flat = np.concatenate([y[y != IGNORED] for _, y in epoch_of(batches, epoch)])
        follows = {(int(a), int(c)) for a, b, c in zip(flat, flat[1:], flat[2:], strict=False) if b == EOS}
        neighbours.append(follows)
    assert len(neighbours[0] & neighbours[1]) < 0.01 * len(neighbours[0])
    means = [np.mean([length + 1 for length in lengths])]
    means += [np.mean((y != IGNORED).sum() / (y == EOS).sum()) for _, y in epoch_of(batches, 1)]
    assert max(means) - min(means) < 3.0  # no batch of long titles only


@settings(max_examples=40)
@given(LENGTHS, st.integers(1, 3), st.integers(1, 6), st.integers(0, 3))
def test_each_epoch_of_a_reshuffled_stream_is_the_titles_in_another_order(lengths, batch_size, block_size, seed):
    ids = stream(lengths)
    config = ShuffledStream(batch_size=batch_size, block_size=block_size)
    n = batch_size * block_size
    if len(ids) < n + 1:
        with pytest.raises(UserError, match="less than one batch"):
            config.build(ids, EOS, seed)
        return
    batches = config.build(ids, EOS, seed)
    assert batches.steps_per_epoch == len(ids) // n and batches.targets_per_step == n
    for epoch in (1, 2):
        steps = epoch_of(batches, epoch)
        x, y = (np.concatenate([part[i].ravel() for part in steps]) for i in (0, 1))
        assert x[0] == EOS and (x[1:] == y[:-1]).all()
        seen, whole = titles_of(y), titles_of(ids)
        assert all(title in whole for title in seen)
        assert len(set(t for t in seen if t != (EOS,))) == len([t for t in seen if t != (EOS,)])
        assert sum(map(len, whole)) - len(y) < n


@pytest.mark.parametrize("config", [ShuffledStream(batch_size=2, block_size=8), TitleRows(batch_size=2, block_size=8)])
def test_a_batch_is_a_function_of_seed_and_step(config):
    ids = stream([3, 5, 2, 7, 1, 4, 4, 6, 2, 9])
    batches = config.build(ids, EOS, seed=5)
    total = 3 * batches.steps_per_epoch
    forward = [batches.batch(step) for step in range(1, total + 1)]
    fresh = config.build(ids, EOS, seed=5)
    for step in reversed(range(1, total + 1)):
        for left, right in zip(fresh.batch(step), forward[step - 1], strict=True):
            np.testing.assert_array_equal(left, right)
    epochs = [np.concatenate([y.ravel() for _, y in epoch_of(batches, epoch)]).tolist() for epoch in (1, 2)]
    assert epochs[0] != epochs[1]
    other = config.build(ids, EOS, seed=6)
    assert any((a[1] != b[1]).any() for a, b in zip(epoch_of(other, 1), epoch_of(batches, 1), strict=True))
    forward[0][0][:] = -7  # a batch is the caller's own
    assert (config.build(ids, EOS, seed=5).batch(1)[0] >= 0).all() and (batches.batch(1)[0] >= 0).all()


def test_the_stream_of_a_reshuffled_epoch_is_scored_in_rows_of_its_block():
    rows = ShuffledStream(batch_size=2, block_size=8).scoring_rows(stream([5, 9, 3]), EOS)
    assert rows.start.tolist() == rows.first.tolist() == [0, 8, 16] and rows.stop.tolist() == [8, 16, 20]
