"""Titles drawn without a prompt: the same each time, counted rightly, and no text of the corpus among the examples."""

import json
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from sevenepochs.ask import samples
from sevenepochs.ask.samples import Drawing, Sample
from sevenepochs.protocol.budget import Split
from sevenepochs.questions.case import Case
from sevenepochs.questions.samples import N_TITLES, SEED, TEMPERATURE, compute
from sevenepochs.store.run import Run

WRITTEN = ["a copy"] * 3 + ["A Copy!", "under test", "", "cut", "own 1", "own 1"] + [f"own {i}" for i in range(2, 193)]
SPLIT = Split(("a copy", "cut", "another"), ("under test", "a copy", "new", "newer"))


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Titles are not drawn but taken from a list; the one that says so was cut."""

    def draw(model: Any, prompt: str, n: int, drawing: Drawing) -> Any:
        assert (prompt, n, drawing) == ("", N_TITLES, Drawing(TEMPERATURE, None, SEED))
        yield [Sample([i] * (100 if text == "cut" else 1), ended=text != "cut") for i, text in enumerate(WRITTEN)]

    monkeypatch.setattr(samples, "draw", draw)
    monkeypatch.setattr(samples, "title", lambda model, prompt, sample: WRITTEN[sample.ids[0]])


@pytest.mark.usefixtures("planted")
def test_titles_are_counted_and_the_corpus_own_stay_out() -> None:
    told: list[tuple[int, int]] = []
    data = SimpleNamespace(split=SPLIT)
    found = compute(SimpleNamespace(model=None, data=data, progress=lambda *step: told.append(step)))
    assert found["copied"]["n"] == 3 and found["copied"]["share"] == 3 / 200  # what was cut is no whole title
    low, high = found["copied"]["interval"]
    assert low == pytest.approx(0.0051, abs=1e-4) and high == pytest.approx(0.0431, abs=1e-4)
    assert found["copied_by_people"]["n"] == 1 and found["copied_by_people"]["n_titles"] == 4
    assert found["n_ended"] == 199 and found["n_distinct"] == len(set(WRITTEN))
    assert found["mean_chars"] == pytest.approx(np.mean([len(text) for text in WRITTEN]))
    assert found["training_mean_chars"] == pytest.approx(16 / 3)
    assert found["examples"] == [f"own {i}" for i in range(1, 11)]
    assert told == [(200, 200)]


def test_of_a_run_it_is_the_same_each_time_and_small(finished_run: Run) -> None:
    told: list[tuple[int, int]] = []
    case = Case.open(finished_run, progress=lambda *step: told.append(step))
    split, found = case.data.split, compute(case)
    assert found == compute(Case.open(finished_run))
    assert told[-1] == (N_TITLES, N_TITLES) and told == sorted(told)
    low, high = found["mean_chars_interval"]
    assert low < found["mean_chars"] < high and 1 < found["n_distinct"] <= N_TITLES
    assert found["training_mean_chars"] == pytest.approx(np.mean([len(title) for title in split.train]))
    assert not {*found["examples"]} & {*split.train, *split.validation}
    assert len(json.dumps(found, indent=1)) < 10_000
