"""What facts are worth: the parts of the answer add up, and the control loses what the facts gained."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sevenepochs.cli.main import main
from sevenepochs.errors import UserError
from sevenepochs.questions.case import Case
from sevenepochs.questions.facts import FACTS, _places
from sevenepochs.questions.registry import questions_to
from sevenepochs.store.run import Run


@pytest.fixture(scope="module")
def content(told_run: Run) -> Any:
    return json.loads(json.dumps(FACTS.answer(Case.open(told_run))))


def test_gains_are_differences_from_nothing_told(content: Any, told_run: Run) -> None:
    rows = {row["name"]: row for row in content["losses"]}
    assert list(rows) == ["own", "n_alone", "time_alone", "none", "others"] and told_run.summary is not None
    assert rows["own"]["exact_val_loss"] == pytest.approx(told_run.summary["figures"]["exact_val_loss"])
    for name in rows.keys() - {"none"}:
        gain = rows["none"]["exact_val_loss"] - rows[name]["exact_val_loss"]
        low, high = rows[name]["interval"]
        assert rows[name]["gain"] == pytest.approx(gain) and low <= gain <= high
    assert rows["n_alone"]["gain"] > 0.7 * rows["own"]["gain"] > 0 > rows["others"]["gain"]
    assert abs(rows["time_alone"]["gain"]) < 0.2 * rows["own"]["gain"]
    assert content["floors"] is None


def test_places_and_kinds_add_up(content: Any) -> None:
    gain = content["losses"][0]["gain"]
    assert [row["name"] for row in content["places"]] == ["first_word", "rest", "end"]
    assert sum(row["gain"] for row in content["places"]) == pytest.approx(gain)
    assert sum(row["share"] for row in content["places"]) == pytest.approx(1)
    first, rest, end = (row["gain"] for row in content["places"])
    assert first > 0.1 * gain and rest > 0.1 * gain and abs(end) < 0.1 * gain  # verb; noun and number; no more to say
    for breakdown in content["breakdowns"]:
        assert sum(part["n_titles"] for part in breakdown["parts"]) == content["n_titles"]
    assert [breakdown["label"] for breakdown in content["breakdowns"]][1].startswith("n, ")
    assert {part["label"] for part in content["breakdowns"][1]["parts"]} == {"100 to 999 titles"}


def test_the_first_word_goes_up_to_the_first_space(told_run: Run) -> None:
    case = Case.open(told_run)
    words = [title.partition(" ") for title in case.data.split.validation]
    for place, expected in enumerate([[first for first, _, _ in words], [rest for _, _, rest in words]]):
        ids_of_titles = np.split(np.where(_places(case) == place, case.ids_N, -1), np.flatnonzero(case.ids_N == 1) + 1)
        texts = [case.model.decode(ids[ids >= 0]).strip() for ids in ids_of_titles[:-1]]
        assert texts == expected
    assert ((_places(case) == 2) == (case.ids_N == 1)).all()


def test_the_pass_over_validation_is_told_the_facts(told_run: Run) -> None:
    case = Case.open(told_run)
    np.testing.assert_allclose(case.observed.log_probs_N, case.log_probs_N, atol=1e-4)


def test_only_runs_that_are_told_facts_are_asked(finished_run: Run, told_run: Run) -> None:
    assert "facts" in questions_to(told_run) and "facts" not in questions_to(finished_run)
    with pytest.raises(UserError, match="titles alone"):
        FACTS.compute(Case.open(finished_run))


def test_the_view_names_what_was_told(told_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run = shutil.copytree(told_run.path, tmp_path / told_run.name)
    assert main(["analyze", str(run), "--only", "facts", "--no-figures"]) == 0
    shown = capsys.readouterr().out
    assert all(text in shown for text in ("its own facts", "its n alone", "another title's", "first word"))
