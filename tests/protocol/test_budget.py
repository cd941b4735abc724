import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import (
    NUM_TITLES,
    char_count,
    evaluation_steps,
    joined_text,
    permutation,
    split_titles,
)


def test_the_permutation_is_that_of_datasets_shuffle():
    """`datasets.Dataset.shuffle(seed)` is `numpy.random.default_rng(seed).permutation(len(self))` (its source)."""
    for n_rows in (1, 10, 1000, 100_001):
        np.testing.assert_array_equal(permutation(n_rows), np.random.default_rng(1337).permutation(n_rows))
    # NumPy does not promise its streams for ever, so the first indices are written down
    assert permutation(1000)[:8].tolist() == [307, 681, 275, 939, 891, 212, 477, 225]
    assert permutation(1000)[-2:].tolist() == [320, 129]


@pytest.mark.parametrize("n_rows", [1000, 100_001, 828_133])
def test_the_permutation_is_what_the_library_shuffles_to(n_rows):
    datasets = pytest.importorskip("datasets", reason="not among what the package needs: pip install datasets")
    shuffled = datasets.Dataset.from_dict({"row": np.arange(n_rows)}).shuffle(seed=1337)["row"]
    np.testing.assert_array_equal(np.asarray(shuffled), permutation(n_rows))


@pytest.mark.parametrize(("n_rows", "n_train", "n_validation"), [(10, 9, 1), (11, 9, 2), (1000, 900, 100)])
def test_the_split_is_ninety_to_ten_in_shuffled_order(n_rows, n_train, n_validation):
    rows = [f" title {i}\t" for i in range(n_rows)]
    split = split_titles(rows)
    assert (len(split.train), len(split.validation)) == (n_train, n_validation)
    assert [*split.train, *split.validation] == [f"title {i}" for i in permutation(n_rows)]


def test_only_the_first_hundred_thousand_titles_are_taken():
    split = split_titles([str(i) for i in range(NUM_TITLES + 5000)])
    assert (len(split.train), len(split.validation)) == (90_000, 10_000)
    assert list(split.validation) == [str(i) for i in permutation(NUM_TITLES + 5000)[90_000:100_000]]


def test_a_corpus_without_a_tenth_is_refused():
    with pytest.raises(UserError, match="9 titles; at least 10"):
        split_titles(["x"] * 9)


@given(st.lists(st.text(), min_size=1))
def test_characters_are_code_points_and_an_eos_counts_five(titles):
    assert char_count(titles) == len(joined_text(titles)) == sum(map(len, titles)) + 5 * len(titles)


def test_code_points_not_bytes_and_not_graphemes():
    assert char_count(["é", "e\u0301", "🇫🇷", "日本"]) == 1 + 2 + 2 + 2 + 4 * 5
    assert joined_text(["a", "b"]) == "a<eos>b<eos>"


def test_evaluations_fall_where_the_stock_program_puts_them():
    steps = evaluation_steps(141, 7)  # 987 steps, as on the stand-in corpus
    assert steps[:4] == [1, 47, 94, 141] and steps[-2:] == [940, 987] and len(steps) == 22
    steps = evaluation_steps(134, 7)  # 938 steps, the 2023 data: 134 is not a multiple of 3, so the last step is extra
    assert steps[:3] == [1, 44, 88] and steps[-2:] == [924, 938]


@pytest.mark.parametrize("batches_per_epoch", [1, 2])
def test_fewer_than_three_batches_evaluate_every_step(batches_per_epoch):
    assert evaluation_steps(batches_per_epoch, 7) == list(range(1, 7 * batches_per_epoch + 1))


@given(st.integers(1, 500), st.integers(1, 20))
def test_evaluations_include_the_first_and_the_last_step_once(batches_per_epoch, epochs):
    steps = evaluation_steps(batches_per_epoch, epochs)
    assert steps[0] == 1 and steps[-1] == batches_per_epoch * epochs
    assert steps == sorted(set(steps))
