"""docs/add-a-technique.md, followed to the letter: its file is written, trained, and holds what the page asks for."""

import re
from pathlib import Path

import pytest
import torch

from sevenepochs.ask.model import Model
from sevenepochs.data.corpus.sample import SampleCorpus
from sevenepochs.errors import UserError
from sevenepochs.experiment import Experiment
from sevenepochs.recipes.catalog import load_recipe
from sevenepochs.training.trainer import run_training

PAGE = (Path(__file__).parents[1] / "docs" / "add-a-technique.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def recipe(tmp_path_factory):
    (code,) = re.findall(r"```python\n(.*?)```", PAGE, flags=re.S)
    file = tmp_path_factory.mktemp("user") / "smear.py"
    file.write_text(code, encoding="utf-8")
    return load_recipe(f"{file}:smear")


def test_it_trains_cleanly_and_comes_back_from_its_run_folder(recipe, shrink, tmp_path):
    experiment = shrink(recipe).replace_all(
        {"corpus": SampleCorpus(n_titles=60), "model.skip.initial": 0.2, "optimizer.lr": 0.01}
    )
    run = run_training(experiment, "smear", tmp_path)
    assert run.certificate["clean"], run.certificate["broken"]
    losses = [row["train_loss_nats_per_token"] for row in run.training_curve()]
    assert losses[-1] < losses[0] - 0.3
    trained = Model.load(run)
    assert trained.experiment == experiment
    assert (trained.network.skip.share_D != 0.2).any()


def test_it_is_what_the_page_says_with_and_without_a_cache(recipe, shrink):
    model = shrink(recipe).build_model(300).eval()
    ids = torch.randint(0, 300, (2, 12), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        model.embedding.weight.mul_(30.0)
        embedded = model.trace(ids).hidden_BTD[0]
        context_of_first = type("C", (), {"layer": 0, "remember": lambda self, name, new, dim: new})()
        smeared = model.skip(embedded, context_of_first)
        torch.testing.assert_close(smeared[:, 1:], embedded[:, 1:] + 0.1 * embedded[:, :-1])
        torch.testing.assert_close(smeared[:, 0], embedded[:, 0])
        cache = model.new_cache(2)
        pieces = torch.cat([model(piece, cache) for piece in ids.split([1, 4, 7], dim=1)], dim=1)
        torch.testing.assert_close(pieces, model(ids), rtol=1e-4, atol=1e-5)


def test_a_config_alone_does_not_load_the_file():
    config = load_recipe("adamw").to_dict()
    config["model"]["skip"] = {"kind": "not_loaded_yet:Smear", "initial": 0.1}
    with pytest.raises(UserError, match=r"--load"):
        Experiment.from_dict(config)


def test_every_slot_that_the_page_lists_exists():
    for name in re.findall(r"`([a-z_.]+:[A-Z]\w+)`", PAGE):
        module, _, cls = name.partition(":")
        assert hasattr(__import__(f"sevenepochs.{module}", fromlist=[cls]), cls), name
