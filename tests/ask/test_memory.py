"""Reading on from a memory is reading at once; a memory never changes, so prefixes may be shared."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from sevenepochs.ask.reader import Reader
from sevenepochs.errors import UserError
from sevenepochs.model.context import Past
from sevenepochs.store.run import Run


@pytest.fixture(scope="module")
def reader(finished_run: Run) -> Reader:
    return Reader.open(finished_run)


def test_in_pieces_is_at_once(reader: Reader) -> None:
    context = reader.encode("Ask HN: what do you use to edit text?")
    whole_TV = reader.all_log_probs(context)
    memory, parts = reader.remember(), []
    for piece in np.array_split(context, 4):
        part_TV, memory = reader.read_on(memory, piece)
        parts.append(part_TV)
    np.testing.assert_allclose(np.concatenate(parts), whole_TV, atol=1e-4)
    assert len(memory) == len(context) and memory.ids_BT[0].tolist() == context.tolist() and memory.n_bytes > 0


def test_a_memory_stays_as_it_was(reader: Reader) -> None:
    context = reader.encode("Show HN: a compiler for two")
    _, memory = reader.read_on(reader.remember(), context[:4])
    endings = [context[4:], reader.encode("else")[1:], np.array([reader.eos_id])]
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda ending: reader.read_on(memory, ending)[0], endings * 5))
    for ending, part_TV in zip(endings * 5, found, strict=True):
        expected = reader.all_log_probs([*context[:4], *ending])[4:]
        np.testing.assert_allclose(part_TV, expected, atol=1e-4)
    assert len(memory) == 4
    shorter = memory.first(2)
    np.testing.assert_allclose(reader.read_on(shorter, context[2:])[0], reader.all_log_probs(context)[2:], atol=1e-4)


def test_a_compact_memory_holds_what_it_counts(reader: Reader) -> None:
    context = reader.encode("Show HN: a compiler for two")
    _, memory = reader.read_on(reader.remember(), context)
    for view in (memory, memory.first(3)):
        compact = view.compact()
        assert held_bytes(compact.past) == compact.n_bytes == view.n_bytes
        again = compact.compact()  # copies nothing
        assert all(again.past._kept[key][0] is tensor for key, (tensor, _) in compact.past._kept.items())
        np.testing.assert_array_equal(compact.ids_BT, view.ids_BT)
    assert held_bytes(memory.first(3).past) > memory.first(3).n_bytes


def held_bytes(past: Past) -> int:
    """What its tensors keep alive, views with all that they were cut from."""
    storages = [tensor.untyped_storage() for tensor, _ in past._kept.values()]
    return sum({storage.data_ptr(): storage.nbytes() for storage in storages}.values())


def test_rows_go_their_own_ways(reader: Reader) -> None:
    context = reader.encode("Why")
    _, memory = reader.read_on(reader.remember(), context)
    two = memory.rows(np.array([0, 0]))
    first_BV, two = reader.read_on_rows(two, np.array([40, 50]))
    swapped = two.rows(np.array([1, 0]))
    second_BV, _ = reader.read_on_rows(swapped, np.array([60, 70]))
    np.testing.assert_allclose(first_BV[1], reader.next_log_probs([*context, 50]), atol=1e-4)
    np.testing.assert_allclose(second_BV[0], reader.next_log_probs([*context, 50, 60]), atol=1e-4)
    np.testing.assert_allclose(second_BV[1], reader.next_log_probs([*context, 40, 70]), atol=1e-4)


def test_a_full_block(reader: Reader) -> None:
    ids = np.arange(reader.block_size) % 200 + 3
    _, memory = reader.read_on(reader.remember(), ids)
    with pytest.raises(UserError, match="129 tokens; this model reads 128"):
        reader.read_on(memory, [5])
    log_probs_BV, longer = reader.read_on_rows(memory, np.array([5]))
    np.testing.assert_allclose(log_probs_BV[0], reader.next_log_probs([*ids[-64:], 5]), atol=1e-4)
    assert len(longer) == 65 and len(memory) == 128
