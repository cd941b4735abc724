"""Breakdowns of the loss: complete, in agreement with the run's exact loss, and by hand on a few titles."""

import io
import math

import numpy as np
import pytest
from rich.console import Console

from sevenepochs.errors import UserError
from sevenepochs.questions import data, where_loss
from sevenepochs.questions.case import Case
from sevenepochs.questions.stream import targets
from sevenepochs.store.run import Run

EOS_ID = 1


@pytest.fixture(scope="module")
def case(finished_run: Run) -> Case:
    return Case.open(finished_run)


def test_every_breakdown_adds_up_to_the_exact_loss(case: Case) -> None:
    found = where_loss.compute(case)
    assert case.run.summary is not None
    exact = case.run.summary["figures"]["exact_val_loss"]
    assert found["exact_val_loss"] == pytest.approx(exact, rel=1e-12)
    assert len(found["tokens"]) == 4 and len(found["titles"]) == 7
    for breakdown in found["tokens"] + found["titles"]:
        parts = breakdown["parts"]
        assert sum(part["contribution"] for part in parts) == pytest.approx(exact, rel=1e-6), breakdown["name"]
        assert sum(part["nats"] for part in parts) == pytest.approx(exact * found["n_chars"], rel=1e-6)
        assert sum(part["share"] for part in parts) == pytest.approx(1, rel=1e-6)
        assert sum(part["n_tokens"] for part in parts) == found["n_tokens"]
        mean = sum(part["nats_per_token"] * part["n_tokens"] for part in parts)
        assert mean == pytest.approx(exact * found["n_chars"], rel=1e-6)
    for breakdown in found["titles"]:
        parts = breakdown["parts"]
        assert sum(part["n_titles"] for part in parts) == found["n_titles"]
        assert sum(part["n_chars"] for part in parts) == found["n_chars"]
        weighted = math.fsum(part["nats_per_char"] * part["n_chars"] for part in parts) / found["n_chars"]
        assert weighted == pytest.approx(exact, rel=1e-6)


def test_the_view_cuts_no_word_in_80_columns(case: Case) -> None:
    out = io.StringIO()
    Console(file=out, width=80).print(where_loss.view(where_loss.compute(case)))
    assert "…" not in out.getvalue() and "by whether the title occurs in" in out.getvalue()


def test_the_pass_agrees_with_the_saved_log_probabilities(case: Case) -> None:
    assert case.observed.log_probs_N == pytest.approx(case.log_probs_N, abs=1e-4)
    assert case.observed.log_probs_N.sum() == pytest.approx(case.log_probs_N.sum(), rel=1e-6)


def test_targets_by_hand() -> None:
    where = targets(np.array([5, 6, 1, 1, 7, 1]), EOS_ID, ("ab", "", "c"))
    assert where.title_N.tolist() == [0, 0, 0, 1, 2, 2]
    assert where.position_N.tolist() == [1, 2, 3, 1, 1, 2]
    assert where.n_chars.tolist() == [7, 5, 6]
    assert where.by_title(np.arange(6.0)).tolist() == [3, 3, 9]


def test_a_title_with_the_literal_eos_stays_one_title() -> None:
    where = targets(np.array([5, 1, 6, 1, 7, 1]), EOS_ID, ("a<eos>b", "c"))
    assert where.title_N.tolist() == [0, 0, 0, 0, 1, 1] and where.position_N.tolist() == [1, 2, 3, 4, 1, 2]
    as_text = targets(np.array([5, 9, 6, 1, 7, 1]), EOS_ID, ("a<eos>b", "c"))
    assert as_text.title_N.tolist() == [0, 0, 0, 0, 1, 1]


def test_other_titles_are_refused() -> None:
    with pytest.raises(UserError, match="2 <eos>"):
        targets(np.array([5, 1, 6, 1]), EOS_ID, ("a", "b", "c"))


def test_worst_and_best_are_by_characters(case: Case) -> None:
    found = where_loss.EXTREME_TITLES.answer(case)
    assert found["keep_local"] is True
    worst = [row["nats_per_char"] for row in found["worst"]]
    best = [row["nats_per_char"] for row in found["best"]]
    assert worst == sorted(worst, reverse=True) and best == sorted(best) and worst[0] > best[0]
    row = found["worst"][0]
    assert case.data.split.validation[row["index"]] == row["text"] and row["n_chars"] == len(row["text"]) + 5
    assert row["nats"] == pytest.approx(row["nats_per_char"] * row["n_chars"])


def test_parts_of_tokens(case: Case) -> None:
    tokenizer = case.data.tokenizer
    parts = where_loss.parts_of_tokens(tokenizer)
    assert parts[EOS_ID] == 3 and (parts == 3).sum() == 1
    names = {" a": 0, "a": 1, ":": 2, " (": 2}
    ids = {text: tokenizer.encode(text.strip() if text.startswith(" ") else f"x{text}")[-1] for text in names}
    for text, id in ids.items():
        if tokenizer.show(id) == text:  # a tiny vocabulary may lack some
            assert parts[id] == names[text], text
    assert sum(tokenizer.show(id) == text for text, id in ids.items()) >= 2


def test_data_by_hand(case: Case) -> None:
    titles = ("Show HN: A b", "A [pdf]")
    found = data.in_numbers(titles, case.data.tokenizer, case.data.tokenizer.encode_stream(titles))
    assert found["n_titles"] == 2 and found["words"][0] == {"word": "a", "count": 2}
    assert found["eos_share"] == pytest.approx(2 / found["n_tokens"])
    assert found["title_chars"]["min"] == 7 and found["title_chars"]["max"] == 12
    assert sum(found["title_tokens"]["histogram"]["counts"]) == 2
    assert found["title_tokens"]["mean"] * 2 + 2 == found["n_tokens"]
    tags = next(b for b in found["kinds"] if b["name"] == "tag")
    assert {part["name"]: part["n_titles"] for part in tags["parts"]} == {"pdf": 1, "none": 1}
    assert all(b["name"] != "known" for b in found["kinds"])
