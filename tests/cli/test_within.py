"""`train --within`: the lowest published loss that fits into the time, by faked speeds."""

import shutil
from pathlib import Path
from typing import Any

import pytest

from sevenepochs.cli.main import main
from sevenepochs.cli.within import choose, seconds_in
from sevenepochs.errors import UserError
from sevenepochs.store.results import list_results
from sevenepochs.training.estimate import Speeds

RESULTS = Path(__file__).parents[2] / "results"
HOURS = {"letters": 9.0, "laptop_letters": 3.0, "laptop_words_r_drop": 2.5, "laptop_words": 1.4, "laptop": 1.3}


@pytest.fixture(scope="module")
def results():
    kept = {"baseline", *HOURS}
    return [r for r in list_results(RESULTS) if r.plain_recipe in kept]  # proxies as well, which do not count


@pytest.mark.parametrize(
    ("limit", "recipe", "not_told"),
    [
        (10, "letters", "fits into"),
        (3, "laptop_letters", "laptop_words_r_drop"),
        (2.9, "laptop_words_r_drop", "laptop_words up"),
        (1.45, "laptop_words", "laptop up to"),
    ],
)
def test_the_lowest_loss_that_fits_is_chosen(results, limit, recipe, not_told):
    asked = []

    def seconds_of(name: str) -> float:
        asked.append(name)
        return HOURS[name] * 3600

    chosen, why = choose(limit * 3600, results, seconds_of)
    assert chosen == recipe == asked[-1]
    losses = {"letters": "1.0485", "laptop_letters": "1.0612", "laptop_words_r_drop": "1.0685"}
    losses["laptop_words"] = "1.0920"
    assert why.startswith(recipe) and losses[recipe] in why and "stand-in" in why and not_told not in why
    assert ("letters would take up to 9.0 h" in why) == (recipe != "letters")  # what would be better
    if recipe == "laptop_words":  # at the rate of letters the two between are out of reach: not estimated
        assert asked == ["letters", "laptop_words"]


def test_what_is_far_out_of_reach_is_not_estimated(results):
    asked = []
    with pytest.raises(UserError, match=r"1 min here; the quickest is laptop_words: --within 99m$"):
        choose(60, results, lambda name: asked.append(name) or 9 * 3600)
    assert asked == ["letters"]
    with pytest.raises(UserError, match="--results"):
        choose(60, [r for r in results if r.is_proxy], lambda name: 1)


@pytest.mark.parametrize(("text", "seconds"), [("30m", 1800), ("90 min", 5400), ("1.5h", 5400), ("1 h", 3600)])
def test_minutes_and_hours(text, seconds):
    assert seconds_in(text) == seconds


@pytest.mark.parametrize("text", ["30", "0m", "-1h", "1d", "", "h"])
def test_no_time(text):
    with pytest.raises(UserError, match="30m"):
        seconds_in(text)


def test_train_within_trains_the_recipe_and_says_why(tmp_path, monkeypatch, capsys):
    for name in ("laptop_letters", "laptop_words"):
        shutil.copytree(RESULTS / f"{name}_hn_titles_s1337", tmp_path / "results" / name)
    trained: dict[str, Any] = {}

    def run_training(experiment, recipe, runs, *rest):
        trained.update(recipe=recipe, seed=experiment.training.seed)
        raise UserError("trained")

    monkeypatch.setattr("sevenepochs.training.trainer.run_training", run_training)
    arguments = ["train", "--corpus", "sample:200", "--results", str(tmp_path / "results"), "--within", "20m"]
    for flop, recipe in ((1e15, "laptop_letters"), (2e10, "laptop_words")):
        monkeypatch.setattr(Speeds, "measured", classmethod(lambda cls, *_, flop=flop: Speeds(flop, flop / 100)))
        assert main([*arguments, "--seed", "7"]) == 2
        assert trained == {"recipe": recipe, "seed": 7}
        assert capsys.readouterr().out.lstrip().startswith(f"{recipe} takes up to")
    for refused in (["--proxy"], ["--set", "model.n_layer=1"]):
        assert main([*arguments, *refused]) == 2
        assert "--within chooses" in capsys.readouterr().err
    assert main(["train", "laptop", *arguments[1:]]) == 2
