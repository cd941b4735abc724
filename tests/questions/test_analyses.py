"""Token counts, re-evaluation and comparison, on a tiny run."""

import dataclasses

import numpy as np
import pytest

from sevenepochs.ask.evaluate import evaluate
from sevenepochs.ask.model import Model
from sevenepochs.comparison.compare import compare
from sevenepochs.errors import UserError
from sevenepochs.protocol.scoring import exact_val_loss, title_losses
from sevenepochs.questions.data import most_frequent
from sevenepochs.store.results import Result, result_of
from sevenepochs.store.run import Run, layout


def test_most_frequent_tokens(finished_run: Run) -> None:
    tokenizer = Model.load(finished_run).tokenizer
    found = most_frequent(tokenizer, np.array([1, 5, 5, 5, 1, 9]), k=2)
    assert [(row["id"], row["count"]) for row in found["top"]] == [(5, 3), (1, 2)]
    assert found["eos_share"] == pytest.approx(2 / 6)


def test_evaluate_repeats_the_runs_own_figures(finished_run: Run) -> None:
    assert finished_run.summary is not None
    assert evaluate(finished_run)["figures"] == finished_run.summary["figures"]


def test_title_losses_of_a_run_add_up_to_its_exact_loss(finished_run: Run) -> None:
    tensors = finished_run.load_tensors(layout.TITLE_LOSSES)
    data = Model.load(finished_run).load_data()
    n_chars = data.validation.n_chars
    assert finished_run.summary is not None
    exact = finished_run.summary["figures"]["exact_val_loss"]
    assert tensors["nats"].sum() / n_chars == pytest.approx(exact, rel=1e-12)
    assert exact_val_loss(tensors["log_probs"], n_chars) == pytest.approx(exact, rel=1e-12)
    again = title_losses(tensors["log_probs"], data.validation.ids_N, data.validation.eos_id)
    assert np.array_equal(again, tensors["nats"])


def test_compare_ranks_only_runs_on_the_same_titles(finished_run: Run) -> None:
    first = result_of(finished_run)
    lower = changed(first, loss=first.exact - 0.1, titles=None)
    both = compare([first, lower])
    assert both.results == (first, lower) and both.difference(lower) == pytest.approx(-0.1)  # the reference is first
    elsewhere = changed(first, loss=1.0, titles="other")
    mixed = compare([first, elsewhere])
    assert not mixed.comparable and mixed.difference(elsewhere) is None and mixed.ratio(elsewhere) is None
    with pytest.raises(UserError, match="at least two"):
        compare([first])


def changed(result: Result, loss: float, titles: str | None) -> Result:
    """The result with another exact loss and, if named, other validation titles."""
    split = dataclasses.replace(result.corpus.split, validation_titles_sha256=titles or result.titles)
    facts = dataclasses.replace(
        result.facts,
        figures=dataclasses.replace(result.figures, exact_val_loss=loss),
        corpus=dataclasses.replace(result.corpus, split=split),
    )
    return dataclasses.replace(result, facts=facts)
