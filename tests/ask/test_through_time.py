"""Snapshots are the weights at the evaluations, a title is followed through them, and nothing else changes by them."""

import numpy as np
import pytest

from sevenepochs.ask.inside import through_time
from sevenepochs.ask.model import Model
from sevenepochs.data.corpus.sample import SampleCorpus
from sevenepochs.errors import UserError
from sevenepochs.experiment import Experiment
from sevenepochs.protocol.scoring import exact_log_probs, exact_val_loss
from sevenepochs.store.publishing import publish
from sevenepochs.store.run import Run, layout
from sevenepochs.training.trainer import run_training


@pytest.fixture(scope="module")
def experiment(tiny: Experiment) -> Experiment:
    return tiny.replace_all({"corpus": SampleCorpus(n_titles=40), "training.epochs": 2, "training.snapshots": True})


@pytest.fixture(scope="module")
def run(experiment: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run_training(experiment, "x", tmp_path_factory.mktemp("runs"))


def test_one_snapshot_an_evaluation_and_it_scores_as_that_did(run: Run) -> None:
    evaluations = {row["step"]: row["exact_val_loss"] for row in run.evaluations()}
    assert run.snapshot_steps() == sorted(evaluations)
    for step, loss in evaluations.items():
        model = Model.load(run, step)
        data = model.load_data()
        rows = model.experiment.scoring_rows(data)
        log_probs_N = exact_log_probs(model.scorer, data.validation.ids_N, model.eos_id, rows)
        # matrices are rounded to bf16
        assert exact_val_loss(log_probs_N, data.validation.n_chars) == pytest.approx(loss, abs=2e-3)


def test_a_title_through_time(run: Run) -> None:
    title = Model.load(run).load_data().split.train[0]
    seen: list[int] = []
    found = through_time(run, f" {title} ", lambda steps: (seen.append(step) or step for step in steps))
    assert seen == run.snapshot_steps() == [row["step"] for row in found["steps"]]
    for row in found["steps"]:
        model = Model.load(run, row["step"])
        context = [*model.encode(title), model.eos_id]
        (log_probs,) = model.log_probs_of([context])
        np.testing.assert_allclose(row["tokens_bits"], -log_probs / np.log(2), atol=1e-9)
        assert row["nats_per_char"] == pytest.approx(-log_probs.sum() / (len(title) + 5))
    assert len(found["tokens"]) == len(found["steps"][0]["tokens_bits"]) and found["tokens"][-1] == "<eos>"
    assert found["steps"][-1]["surprisal_bits"] < found["steps"][0]["surprisal_bits"]
    (final,) = Model.load(run).log_probs_of([context])
    assert found["steps"][-1]["surprisal_bits"] == pytest.approx(-final.sum() / np.log(2), rel=0.02)


def test_snapshots_change_nothing_else(
    run: Run, experiment: Experiment, tmp_path_factory: pytest.TempPathFactory
) -> None:
    without = run_training(experiment.replace("training.snapshots", False), "x", tmp_path_factory.mktemp("runs"))
    assert run.summary is not None and without.summary is not None
    assert without.summary["figures"] == run.summary["figures"]
    for name, tensor in without.load_model_tensors().items():
        np.testing.assert_array_equal(tensor, run.load_model_tensors()[name])
    with pytest.raises(UserError, match=r"no snapshots.*--set training\.snapshots=true"):
        through_time(without, "Why?")
    with pytest.raises(UserError, match=r"step 1;.*none"):
        Model.load(without, 1)


def test_snapshots_are_half_as_large_and_never_published(run: Run, tmp_path_factory: pytest.TempPathFactory) -> None:
    last = run.path / layout.snapshot(run.snapshot_steps()[-1])
    assert last.stat().st_size < 0.75 * (run.path / layout.MODEL).stat().st_size
    target = publish(run, tmp_path_factory.mktemp("results"))
    assert not [file for file in target.rglob("*") if "snapshot" in str(file) or file.suffix == ".safetensors"]


def test_a_damaged_snapshot_is_named(run: Run, tmp_path_factory: pytest.TempPathFactory) -> None:
    import shutil

    copy = tmp_path_factory.mktemp("copy") / run.name
    shutil.copytree(run.path, copy)
    file = copy / layout.snapshot(1)
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(data)
    with pytest.raises(UserError, match=r"step_00000001\.safetensors of run .* is corrupt"):
        through_time(Run(copy), "Why?")
