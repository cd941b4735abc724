import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sevenepochs.data.batches.stream import Stream
from sevenepochs.errors import UserError


def the_challenges_loop(ids, batch_size, block_size, n_steps):
    """The pointer loop of the stock program, written from its description: a window of batch*block+1, the pointer
    advances by batch*block, and starts over when the window would reach the end."""
    pointer = 0
    for _ in range(n_steps):
        span = batch_size * block_size + 1
        if pointer + span >= len(ids):
            pointer = 0
        window = list(ids[pointer : pointer + span])
        x = [window[row * block_size : (row + 1) * block_size] for row in range(batch_size)]
        y = [window[row * block_size + 1 : (row + 1) * block_size + 1] for row in range(batch_size)]
        yield x, y
        pointer += batch_size * block_size


@settings(max_examples=200)
@given(st.integers(1, 5), st.integers(1, 7), st.integers(1, 8), st.integers(-2, 2), st.integers(1, 3))
def test_batches_equal_the_challenges_loop(batch_size, block_size, n_windows, offset, epochs):
    """Lengths around the multiples of a window's targets, where the wrap is decided."""
    targets = batch_size * block_size
    ids = np.arange(max(targets + 1, n_windows * targets + offset), dtype=np.int32)
    batches = Stream(batch_size=batch_size, block_size=block_size).build(ids, eos_id=1, seed=0)
    assert batches.targets_per_step == targets
    assert batches.steps_per_epoch == len(ids) // targets
    n_steps = epochs * batches.steps_per_epoch
    for step, (x, y) in enumerate(the_challenges_loop(ids, batch_size, block_size, n_steps), start=1):
        x_BT, y_BT = batches.batch(step)
        assert x_BT.tolist() == x and y_BT.tolist() == y, f"step {step}"
        assert x_BT.dtype == y_BT.dtype == np.int64


def test_the_tail_is_never_trained_on_and_each_epoch_is_the_same_while_windows_last():
    batches = Stream(batch_size=2, block_size=5).build(np.arange(1, 40), eos_id=1, seed=0)  # 3 windows, 8 left
    seen = {int(token) for step in range(1, 30) for token in batches.batch(step)[1].ravel()}
    assert seen == set(range(2, 32))
    np.testing.assert_array_equal(batches.batch(1)[0], batches.batch(4)[0])


def test_a_batch_is_a_function_of_the_step_alone():
    batches = Stream(batch_size=2, block_size=5).build(np.arange(100), eos_id=1, seed=0)
    later = batches.batch(7)
    batches.batch(3)
    for first, second in zip(later, batches.batch(7), strict=True):
        np.testing.assert_array_equal(first, second)


def test_the_stream_is_not_changed_through_a_batch():
    ids = np.arange(100)
    x_BT, _ = Stream(batch_size=2, block_size=5).build(ids, eos_id=1, seed=0).batch(1)
    x_BT[:] = -1
    np.testing.assert_array_equal(ids, np.arange(100))


@pytest.mark.parametrize("n", [0, 1, 10])
def test_too_small_a_corpus_names_the_smallest(n):
    with pytest.raises(UserError, match=rf"{n} training tokens.*2 x 5.*at least 11.*batches\.batch_size"):
        Stream(batch_size=2, block_size=5).build(np.arange(n), eos_id=1, seed=0)
    Stream(batch_size=2, block_size=5).build(np.arange(11), eos_id=1, seed=0)


def test_the_stand_in_corpus_has_141_steps_an_epoch():
    assert Stream().build(np.zeros(1_155_158, dtype=np.int32), eos_id=1, seed=0).steps_per_epoch == 141
    assert Stream().build(np.zeros(1_102_455, dtype=np.int32), eos_id=1, seed=0).steps_per_epoch * 7 == 938
