"""Whole runs with the techniques that the trainer takes part in: budget, passes, averages, resuming."""

import os
import signal

import pytest

from sevenepochs.data.batches.title_rows import TitleRows
from sevenepochs.data.corpus.sample import SampleCorpus
from sevenepochs.errors import UserError
from sevenepochs.experiment import Experiment
from sevenepochs.learning.averaging import EMA, Tail
from sevenepochs.learning.objective import CrossEntropy, LateRDrop, RDrop
from sevenepochs.model.titles import Titles
from sevenepochs.recipes.catalog import load_recipe
from sevenepochs.recipes.listing import BEST
from sevenepochs.store.run import Run
from sevenepochs.training.hooks import Watcher
from sevenepochs.training.interrupt import Interrupted
from sevenepochs.training.trainer import resume_training, run_training

SMALL = {"corpus": SampleCorpus(n_titles=40), "model.n_layer": 1}


@pytest.fixture(scope="module")
def best(shrink):
    """The best recipe made small, with an average on top: R-Drop, title rows, word parts, Muon, a Unigram tokenizer; in
    micro-batches."""
    return shrink(load_recipe(BEST)).replace_all(
        {**SMALL, "averaging": EMA(decay=0.9), "tokenizer.trained_on": "train", "training.micro_batches": 2}
    )


@pytest.fixture(scope="module")
def finished(best, tmp_path_factory):
    return run_training(best, "best", tmp_path_factory.mktemp("runs"))


def test_its_certificate_says_what_it_did(finished):
    certificate = finished.certificate
    assert certificate["clean"], certificate["broken"]
    training = certificate["training"]
    assert training["tokens_used"] == training["token_budget"] == 7 * training["train_tokens"]  # padding is no target
    assert training["forward_passes_per_token_per_epoch"] == 2
    assert certificate["tokenizer"]["trained_on"] == "train" and certificate["tokenizer"]["reversible"]
    assert certificate["track"] == "single"
    assert certificate["scoring"]["rows"] == "TitleRows 32"
    assert "exact_val_loss_stock_rows" in finished.summary["figures"]


class StopsAfter(Watcher):
    def __init__(self, step):
        self.step = step

    def stepped(self, progress):
        if progress.step == self.step:
            os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("part", [0.0, 0.55, 1.0])
def test_interrupted_and_resumed_is_uninterrupted(best, finished, tmp_path, outcome, part):
    step = max(1, round(part * finished.summary["n_steps"]))
    with pytest.raises(Interrupted) as caught:
        run_training(best, "x", tmp_path, StopsAfter(step))
    run = Run(caught.value.run_path)
    resumed = resume_training(run, Experiment.from_dict(run.config))
    expected, got = outcome(finished), outcome(resumed)
    for name in expected:
        assert got[name] == expected[name], name


def test_the_average_is_what_is_scored_and_saved(best, finished, tmp_path):
    plain = run_training(best.replace("averaging", Tail(last=0.0)), "x", tmp_path)
    saved, other = finished.load_model_tensors(), plain.load_model_tensors()
    assert any((array != other[name]).any() for name, array in saved.items())
    assert plain.summary["figures"]["exact_val_loss"] != finished.summary["figures"]["exact_val_loss"]
    # training itself is the same: only what is scored differs
    curves = [[row["train_loss_nats_per_token"] for row in run.training_curve()] for run in (plain, finished)]
    assert curves[0] == curves[1]


def test_the_objective_of_each_epoch_is_trained_on(best, tmp_path):
    objectives = {"early": RDrop(), "late": LateRDrop(first_epoch=3), "never": CrossEntropy()}
    runs = {name: run_training(best.replace("objective", one), name, tmp_path) for name, one in objectives.items()}
    losses = {n: [row["train_loss_nats_per_token"] for row in run.training_curve()] for n, run in runs.items()}
    before = 2 * runs["late"].summary["n_steps"] // 7
    assert losses["late"][:before] == losses["never"][:before] != losses["early"][:before]
    assert losses["late"][before:] != losses["never"][before:]
    assert runs["late"].certificate["training"]["forward_passes_per_token_per_epoch"] == 12 / 7


def test_another_eos_is_refused(tiny, tmp_path):
    with pytest.raises(UserError, match=r"model\.titles\.eos_id = 5, .*id 1"):
        run_training(tiny.replace("model.titles", Titles(eos_id=5)), "x", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_rows_longer_than_the_corpus_need_no_full_batch(tiny, tmp_path):
    experiment = tiny.replace_all({**SMALL, "batches": TitleRows(batch_size=64, block_size=32)})
    run = run_training(experiment, "x", tmp_path)
    assert run.certificate["training"]["train_tokens"] < 64 * 32
    assert (
        run.certificate["clean"]
        and run.certificate["training"]["tokens_used"] == run.certificate["training"]["token_budget"]
    )
