"""Drawing follows the distribution it was asked for, repeats by seed, stops at `<eos>`, and knows what it copied."""

import itertools
import math
from collections import deque

import numpy as np
import pytest

from sevenepochs.ask.model import Model
from sevenepochs.ask.samples import Drawing, Sample, choose, draw, summarise, title
from sevenepochs.errors import UserError
from sevenepochs.store.run import Run


@pytest.fixture(scope="module")
def model(finished_run: Run) -> Model:
    return Model.load(finished_run)


def drawn(model: Model, n: int, drawing: Drawing, prompt: str = "Ask HN:") -> list[Sample]:
    """The finished samples."""
    return deque(draw(model, prompt, n, drawing), maxlen=1).pop()


LOG_PROBS = np.log(np.array([0.5, 0.02, 0.25, 0.13, 0.1], dtype=np.float32))


@pytest.mark.parametrize(
    ("drawing", "expected"),
    [
        (Drawing(1.0, None), [0.5, 0.02, 0.25, 0.13, 0.1]),
        (Drawing(1.0, 2), [2 / 3, 0.0, 1 / 3, 0.0, 0.0]),
        (Drawing(0.5, 3), [x / (0.25 + 0.0625 + 0.0169) for x in (0.25, 0.0, 0.0625, 0.0169, 0.0)]),
        (Drawing(0.0, None), [1.0, 0.0, 0.0, 0.0, 0.0]),
        (Drawing(1e-308, None), [1.0, 0.0, 0.0, 0.0, 0.0]),
        (Drawing(1.0, 1), [1.0, 0.0, 0.0, 0.0, 0.0]),
        (Drawing(1.0, 99), [0.5, 0.02, 0.25, 0.13, 0.1]),
    ],
    ids=["all", "top 2", "sharper top 3", "greedy", "nearly greedy", "top 1", "more than there are"],
)
def test_tokens_are_drawn_as_often_as_they_should_be(drawing: Drawing, expected: list[float]) -> None:
    generator = np.random.default_rng(0)
    n = 20_000
    counts = np.bincount([choose(LOG_PROBS, drawing, generator) for _ in range(n)], minlength=5)
    for count, p in zip(counts, expected, strict=True):
        assert abs(count - n * p) <= 5 * math.sqrt(n * p * (1 - p))


def test_greedy_is_the_most_probable_token_each_time(model: Model) -> None:
    (one,) = drawn(model, 1, Drawing(temperature=0.0, max_tokens=12))
    context = model.encode("Ask HN:").tolist()
    for id in one.ids:
        assert id == model.next_log_probs(context).argmax()
        context.append(id)
    assert one.ended == (model.next_log_probs(context).argmax() == model.eos_id) or len(one.ids) == 12


def test_a_sample_depends_on_its_seed_and_number_alone(model: Model) -> None:
    few, many = drawn(model, 3, Drawing(seed=4)), drawn(model, 60, Drawing(seed=4))
    assert [one.ids for one in few] == [one.ids for one in many[:3]]
    assert [one.ids for one in drawn(model, 3, Drawing(seed=5))] != [one.ids for one in few]
    assert len({tuple(one.ids) for one in many}) > 10


def test_titles_end_at_eos_or_are_cut(model: Model) -> None:
    samples = drawn(model, 40, Drawing(temperature=1.0, top_k=None, max_tokens=6))
    assert all(model.eos_id not in one.ids for one in samples)
    assert all(one.ended or len(one.ids) == 6 for one in samples)
    assert {one.ended for one in samples} == {True, False}
    assert all(title(model, "Ask HN:", one).startswith("Ask HN:") for one in samples)


def test_each_step_shows_one_token_more(model: Model) -> None:
    lengths = [sum(len(one.ids) + one.ended for one in samples) for samples in draw(model, "", 3, Drawing(seed=2))]
    assert lengths[0] == 3 and all(0 < b - a <= 3 for a, b in itertools.pairwise(lengths))


def test_longer_than_the_block(model: Model) -> None:
    """The rows slide on; nothing breaks at the end of the block."""
    banned = model.eos_id
    samples = drawn(model, 4, Drawing(temperature=3.0, top_k=None, max_tokens=model.block_size + 20, seed=3), "")
    assert all(banned not in one.ids for one in samples)


def test_the_share_of_training_titles_is_told_or_said_not_to_be_known(model: Model) -> None:
    drawing = Drawing(seed=7)
    samples = drawn(model, 8, drawing)
    first = next(one for one in samples if one.ended)
    known = {title(model, "Ask HN:", first), "another"}
    found = summarise(model, "Ask HN:", samples, drawing, known)
    copied = [row["is_training_title"] for row in found["samples"]]
    assert copied == [one.ended and title(model, "Ask HN:", one) in known for one in samples]
    assert found["verbatim_share"] == sum(copied) / 8 > 0
    unknown = summarise(model, "Ask HN:", samples, drawing, None)
    assert unknown["verbatim_share"] is None and {row["is_training_title"] for row in unknown["samples"]} == {None}
    context = model.encode("Ask HN:")
    (whole,) = model.log_probs_of([[*context, *first.ids, model.eos_id]])
    row = found["samples"][samples.index(first)]
    assert row["surprisal_bits"] == pytest.approx(-whole[len(context) - 1 :].sum() / math.log(2), abs=1e-3)


@pytest.mark.parametrize(
    "arguments",
    [{"temperature": -0.1}, {"temperature": math.nan}, {"top_k": 0}, {"seed": -1}, {"max_tokens": 0}],
    ids=str,
)
def test_mistakes(arguments: dict[str, float]) -> None:
    with pytest.raises(UserError, match="out of range"):
        Drawing(**arguments)  # type: ignore[arg-type]


@pytest.mark.parametrize("n", [0, 1001])
def test_how_many(model: Model, n: int) -> None:
    with pytest.raises(UserError, match="out of range"):
        next(draw(model, "", n, Drawing()))


def test_titles_drawn_one_after_the_other_are_those_drawn_together(model: Model) -> None:
    drawing = Drawing(temperature=1.0, top_k=None, seed=3, max_tokens=9)
    steps = list(draw(model, "Ask HN:", 4, drawing, at_once=1))
    *_, last = draw(model, "Ask HN:", 4, drawing)
    assert [one.ids for one in steps[-1]] == [one.ids for one in last]
    assert len(steps) == sum(len(one.ids) + one.ended for one in last)  # one token per step
