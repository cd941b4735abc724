"""A Model answers as its network does: one by one, batched, in parts, from threads; and never changes it."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch

from sevenepochs.ask.model import Model
from sevenepochs.errors import UserError
from sevenepochs.protocol.scoring import exact_val_loss, title_losses
from sevenepochs.store.run import Run, layout

TITLES = ["Show HN: a compiler", "Why?", "", "Ask HN: what do you do about “naïve” café menus 漢字?", "a " * 400]


@pytest.fixture(scope="module")
def model(finished_run: Run) -> Model:
    return Model.load(finished_run)


def test_a_context_begins_with_eos_and_ends_without_space(model: Model) -> None:
    assert model.encode("").tolist() == [model.eos_id]
    assert model.encode("Show HN: \n ").tolist() == model.encode("Show HN:").tolist()
    assert model.encode("Why")[1:].tolist() == model.tokenizer.encode_stream(["Why"])[:-1].tolist()


def test_tokens_are_readable_one_by_one(model: Model) -> None:
    ids = model.encode("a compiler")
    shown = model.tokens(ids)
    assert shown[0] == "<eos>" and shown[1] == " a" and "".join(shown) == "<eos> a compiler" == model.decode(ids)


def test_every_position_is_the_prediction_after_its_beginning(model: Model) -> None:
    context = model.encode(TITLES[3])
    log_probs_TV = model.all_log_probs(context)
    assert log_probs_TV.dtype == np.float32 and log_probs_TV.shape == (len(context), model.vocab_size)
    np.testing.assert_allclose(np.exp(log_probs_TV).sum(-1), 1.0, atol=1e-5)
    for t in range(len(context)):
        np.testing.assert_allclose(model.next_log_probs(context[: t + 1]), log_probs_TV[t], atol=1e-5)
    (rows,) = model.distributions(context[None])
    np.testing.assert_allclose(rows[0], log_probs_TV, atol=1e-5)


def test_titles_of_any_length_in_one_batch(model: Model) -> None:
    contexts = [np.append(model.encode(title), model.eos_id) for title in TITLES]
    found = model.log_probs_of(contexts)
    assert [len(row) for row in found] == [len(context) - 1 for context in contexts]
    for context, row in zip(contexts, found, strict=True):
        for t in {0, len(row) // 2, len(row) - 1}:
            low = t + 1 - model.block_size
            # a long title is read in rows that overlap by half: at least half a block lies before each id
            if low <= 0:
                assert row[t] == pytest.approx(model.next_log_probs(context[: t + 1])[context[t + 1]], abs=1e-4)
        assert np.isfinite(row).all()
    assert model.log_probs_of([]) == [] and model.log_probs_of([[1]])[0].shape == (0,)


def test_a_long_title_is_read_from_half_a_block_at_least(model: Model) -> None:
    block = model.block_size
    context = model.encode(TITLES[4])[: 2 * block]
    (row,) = model.log_probs_of([context])
    # second row: starts half a block before the first target that the first row could not reach
    start = block - block // 2
    expected = model.all_log_probs(context[start : start + block])
    for t in range(block, start + block):
        assert row[t] == pytest.approx(expected[t - start, context[t + 1]], abs=1e-4)


def test_titles_read_alone_are_the_runs_own_losses_where_rows_agree(model: Model, finished_run: Run) -> None:
    """The first title of the stream follows `<eos>` in the protocol too."""
    tensors = finished_run.load_tensors(layout.TITLE_LOSSES)
    title = model.load_data().split.validation[0]
    (row,) = model.log_probs_of([[*model.encode(title), model.eos_id]])
    assert -row.sum() == pytest.approx(tensors["nats"][0], abs=1e-4)


def test_its_scorer_repeats_the_runs_figure(model: Model, finished_run: Run) -> None:
    from sevenepochs.protocol.scoring import exact_log_probs

    data = model.load_data()
    rows = model.experiment.scoring_rows(data)
    log_probs_N = exact_log_probs(model.scorer, data.validation.ids_N, model.eos_id, rows)
    assert finished_run.summary is not None
    assert exact_val_loss(log_probs_N, data.validation.n_chars) == finished_run.summary["figures"]["exact_val_loss"]
    assert len(title_losses(log_probs_N, data.validation.ids_N, model.eos_id)) == data.validation.n_titles


def test_threads_may_share_it(model: Model) -> None:
    contexts = [model.encode(f"Show HN: number {i} of many") for i in range(40)]
    expected = [model.next_log_probs(context) for context in contexts]
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(model.next_log_probs, contexts))
    np.testing.assert_array_equal(found, expected)
    assert not model.network.training and torch.is_grad_enabled()


def test_mistakes(model: Model) -> None:
    with pytest.raises(UserError, match="start it with <eos>"):
        model.next_log_probs([])
    with pytest.raises(UserError, match="129 tokens; this model reads 128"):
        model.all_log_probs([1] * 129)
    assert model.next_log_probs([1] * 500).shape == (model.vocab_size,)
