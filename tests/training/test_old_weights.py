"""A run of 30 November 2026, whose blocks were lists of joins: its weights have other names and its state must fit.

It has every part whose weights are called otherwise now: scales inside stochastic joins, a gate, an average of weights,
Muon beside AdamW. That version finished it with `EXACT`.
"""

import shutil
from pathlib import Path

import pytest

from sevenepochs.ask.model import Model
from sevenepochs.experiment import Experiment
from sevenepochs.model.scorer import TorchScorer
from sevenepochs.model.weights import present_name
from sevenepochs.protocol.scoring import exact_log_probs, exact_val_loss
from sevenepochs.store.run import Run
from sevenepochs.training.trainer import resume_training

(RUN,) = (Path(__file__).parents[1] / "fixtures" / "before_block").iterdir()
EXACT = 2.7344274497912364


@pytest.fixture
def run(tmp_path):
    return Run(Path(shutil.copytree(RUN, tmp_path / RUN.name)))


def test_it_is_resumed(run):
    resumed = resume_training(run, Experiment.from_dict(run.config))
    assert resumed.summary["figures"]["exact_val_loss"] == pytest.approx(EXACT, rel=1e-5)  # to the bit where it ran
    names = set(resumed.load_model_tensors())
    assert "blocks.1.mlp.up.weight" in names and "blocks.0.attention_residual.of.scale_D" in names
    assert names == {present_name(name) for name in names}


def test_its_snapshot_has_the_figures_of_its_step(run):
    trained = Model.load(run, 2)
    split = trained.load_titles()
    data = trained.experiment.load_data(tokenizer=trained.tokenizer)
    assert data.split == split
    log_probs_N = exact_log_probs(
        TorchScorer(trained.network),
        data.validation.ids_N,
        data.validation.eos_id,
        trained.experiment.scoring_rows(data),
    )
    (then,) = (row["exact_val_loss"] for row in run.evaluations() if row["step"] == 2)
    assert exact_val_loss(log_probs_N, data.validation.n_chars) == pytest.approx(then, rel=2e-3)  # matrices in bf16


def test_names_of_parts():
    for old, new in (
        ("blocks.3.0.norm.weight", "blocks.3.attention_norm.weight"),
        ("blocks.3.0.branch.qkv.bias", "blocks.3.attention.qkv.bias"),
        ("blocks.12.1.join.norm.weight_D", "blocks.12.mlp_norm.weight_D"),
        ("blocks.3.1.branch.0.weight", "blocks.3.mlp.up.weight"),
        ("blocks.3.1.branch.2.bias", "blocks.3.mlp.down.bias"),
        ("blocks.3.1.scale_D", "blocks.3.mlp_residual.scale_D"),
        ("blocks.3.0.join.scale_D", "blocks.3.attention_residual.of.scale_D"),
        ("embedding.weight", "embedding.weight"),
    ):
        assert present_name(old) == present_name(new) == new
