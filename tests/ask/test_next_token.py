"""Predictions after a context, at a place of the validation window, and at every token of a title."""

import math

import numpy as np
import pytest
import torch

from sevenepochs.ask.model import Model
from sevenepochs.ask.next_token import at_place, predict, read
from sevenepochs.errors import UserError
from sevenepochs.store.run import Run


@pytest.fixture(scope="module")
def model(finished_run: Run) -> Model:
    return Model.load(finished_run)


def test_predict_is_the_softmax_after_the_context(model: Model) -> None:
    context = np.array([1, 40, 50, 60])
    found = predict(model, context, k=300, truth=7)
    network = model.network
    with torch.no_grad():
        probabilities = network.logits(network(torch.from_numpy(context)[None]))[0, -1].softmax(-1)
    assert sum(row["probability"] for row in found["top"]) == pytest.approx(1.0, abs=1e-5)
    ranked = [row["id"] for row in found["top"]]
    assert ranked == probabilities.argsort(descending=True, stable=True).tolist()
    assert found["truth"]["rank"] == ranked.index(7) + 1
    assert found["truth"]["surprisal_bits"] == pytest.approx(-float(probabilities[7].log2()), abs=1e-4)
    assert predict(model, context, k=3)["top"] == found["top"][:3]
    assert "truth" not in predict(model, context, k=3)


def test_a_place_is_its_row_up_to_the_position(model: Model) -> None:
    ids = np.arange(3, 3 + 64 * 128 + 1) % 290 + 3
    found = at_place(model, ids.astype(np.int32), row=2, position=4, k=5)
    assert found["context"] == model.decode(ids[256:261])
    assert found["truth"]["id"] == ids[261]
    assert found["top"] == predict(model, ids[256:261], k=5)["top"]
    for row, position in ((64, 0), (0, 128), (-1, 0), (0, -1)):
        with pytest.raises(UserError, match="outside the window"):
            at_place(model, ids.astype(np.int32), row=row, position=position)


def test_a_stream_shorter_than_the_window_is_one_row(model: Model) -> None:
    ids = np.arange(3, 60, dtype=np.int32)
    assert at_place(model, ids, row=0, position=55)["truth"]["id"] == ids[56]
    for row, position in ((0, 56), (1, 0)):
        with pytest.raises(UserError, match="window of 1 rows x 56 tokens"):
            at_place(model, ids, row=row, position=position)


def test_reading_a_title_predicts_each_token_from_those_before_it(model: Model) -> None:
    text = "Show HN: a “naïve” compiler"
    found = read(model, f"  {text} ", k=4)
    context = model.encode(text)
    rows = found["tokens"]
    assert [row["id"] for row in rows] == [*context[1:], model.eos_id]
    for t, row in enumerate(rows):
        alone = predict(model, context[: t + 1], k=4, truth=row["id"])
        assert row["surprisal_bits"] == pytest.approx(alone["truth"]["surprisal_bits"], abs=1e-4)
        assert [other["id"] for other in row["top"]] == [other["id"] for other in alone["top"]]
    assert found["text"] == text
    assert rows[0]["start"] == 0 and (rows[-1]["start"], rows[-1]["stop"]) == (len(text), len(text))
    assert [text[row["start"] : row["stop"]] for row in rows if row["token"] == ":"] == [":"]
    (whole,) = model.log_probs_of([[*context, model.eos_id]])
    assert found["surprisal_bits"] == pytest.approx(-whole.sum() / math.log(2), abs=1e-4)
    assert found["nats_per_char"] == pytest.approx(-whole.sum() / (len(text) + 5), abs=1e-5)


def test_an_empty_title_is_its_end_alone(model: Model) -> None:
    (row,) = read(model, "")["tokens"]
    assert row["id"] == model.eos_id and (row["start"], row["stop"]) == (0, 0)


def test_a_text_that_is_too_long_says_so(model: Model) -> None:
    with pytest.raises(UserError, match="this model reads 128 at once"):
        read(model, "word " * 300)
