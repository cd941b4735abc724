"""The oracle of the whole pipeline: on titles whose distribution is known, training comes close to the floor, and no
trained model gets below it by more than chance."""

import re
from pathlib import Path

import pytest

from sevenepochs.data.corpus.sample import SampleCorpus
from sevenepochs.experiment import Experiment
from sevenepochs.learning.optim import AdamW
from sevenepochs.recipes.catalog import load_recipe
from sevenepochs.store.run import Run
from sevenepochs.training.trainer import run_training


def excess_and_standard_error(run: Run, experiment: Experiment) -> tuple[float, float]:
    """Nats per character above the floor, and the standard error of the floor on these validation titles."""
    corpus = experiment.corpus.load()
    floor = corpus.floor(corpus.split().validation)
    assert floor is not None and run.summary is not None
    assert run.summary["figures"]["floor_val_loss"] == pytest.approx(floor.value_nats_per_char, abs=1e-12)
    return run.summary["figures"]["excess_val_loss"], floor.standard_error


def test_a_model_that_learns_the_tiny_grammar_stops_at_its_floor(tiny, tmp_path):
    experiment = tiny.replace_all(
        {"corpus": SampleCorpus(n_titles=1500, grammar="tiny"), "optimizer": AdamW(lr=1e-2), "model.d_model": 32}
    )
    excess, error = excess_and_standard_error(run_training(experiment, "x", tmp_path), experiment)
    assert -4 * error < excess < 0.1


@pytest.mark.long
@pytest.mark.parametrize("recipe", ["demo_sgd", "demo_adamw", "demo_record"])
def test_the_demos_models_stay_above_the_floor_and_end_where_the_readme_says(recipe, tmp_path):
    experiment = load_recipe(recipe)
    excess, error = excess_and_standard_error(run_training(experiment, recipe, tmp_path), experiment)
    assert -4 * error < excess
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert excess == pytest.approx(float(re.search(rf"^{recipe} .* ([0-9.]+)$", readme, re.MULTILINE)[1]), rel=0.1)
