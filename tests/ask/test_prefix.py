"""Reading on from a prefix is reading at once; a prefix never changes, so prefixes may be shared."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sevenepochs.ask.model import Model
from sevenepochs.errors import UserError
from sevenepochs.model.context import KVCache
from sevenepochs.store.run import Run


@pytest.fixture(scope="module")
def model(finished_run: Run) -> Model:
    return Model.load(finished_run)


def test_in_pieces_is_at_once(model: Model) -> None:
    context = model.encode("Ask HN: what do you use to edit text?")
    whole_TV = model.all_log_probs(context)
    prefix, parts = model.new_prefix(), []
    for piece in np.array_split(context, 4):
        part_TV, prefix = model.read_on(prefix, piece)
        parts.append(part_TV)
    np.testing.assert_allclose(np.concatenate(parts), whole_TV, atol=1e-4)
    assert len(prefix) == len(context) and prefix.ids_BT[0].tolist() == context.tolist() and prefix.n_bytes > 0


def test_a_prefix_stays_as_it_was(model: Model) -> None:
    context = model.encode("Show HN: a compiler for two")
    _, prefix = model.read_on(model.new_prefix(), context[:4])
    endings = [context[4:], model.encode("else")[1:], np.array([model.eos_id])]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda ending: model.read_on(prefix, ending)[0], endings * 5))
    for ending, part_TV in zip(endings * 5, found, strict=True):
        expected = model.all_log_probs([*context[:4], *ending])[4:]
        np.testing.assert_allclose(part_TV, expected, atol=1e-4)
    assert len(prefix) == 4
    shorter = prefix.first(2)
    np.testing.assert_allclose(model.read_on(shorter, context[2:])[0], model.all_log_probs(context)[2:], atol=1e-4)


def test_a_compact_prefix_holds_what_it_counts(model: Model) -> None:
    context = model.encode("Show HN: a compiler for two")
    _, prefix = model.read_on(model.new_prefix(), context)
    for view in (prefix, prefix.first(3)):
        compact = view.compact()
        assert held_bytes(compact.cache) == compact.n_bytes == view.n_bytes
        again = compact.compact()  # copies nothing
        assert all(again.cache._kept[key][0] is tensor for key, (tensor, _) in compact.cache._kept.items())
        np.testing.assert_array_equal(compact.ids_BT, view.ids_BT)
    assert held_bytes(prefix.first(3).cache) > prefix.first(3).n_bytes


def held_bytes(cache: KVCache) -> int:
    """What its tensors keep alive, views with all that they were cut from."""
    storages = [tensor.untyped_storage() for tensor, _ in cache._kept.values()]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


def test_rows_go_their_own_ways(model: Model) -> None:
    context = model.encode("Why")
    _, prefix = model.read_on(model.new_prefix(), context)
    two = prefix.rows(np.array([0, 0]))
    first_BV, two = model.read_on_rows(two, np.array([40, 50]))
    swapped = two.rows(np.array([1, 0]))
    second_BV, _ = model.read_on_rows(swapped, np.array([60, 70]))
    np.testing.assert_allclose(first_BV[1], model.next_log_probs([*context, 50]), atol=1e-4)
    np.testing.assert_allclose(second_BV[0], model.next_log_probs([*context, 50, 60]), atol=1e-4)
    np.testing.assert_allclose(second_BV[1], model.next_log_probs([*context, 40, 70]), atol=1e-4)


def test_a_full_block(model: Model) -> None:
    ids = np.arange(model.block_size) % 200 + 3
    _, prefix = model.read_on(model.new_prefix(), ids)
    with pytest.raises(UserError, match="129 tokens; this model reads 128"):
        model.read_on(prefix, [5])
    log_probs_BV, longer = model.read_on_rows(prefix, np.array([5]))
    np.testing.assert_allclose(log_probs_BV[0], model.next_log_probs([*ids[-64:], 5]), atol=1e-4)
    assert len(longer) == 65 and len(prefix) == 128
