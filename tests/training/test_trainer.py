import json
import math
from dataclasses import dataclass

import numpy as np
import pytest
import torch

from sevenepochs.comparison.title_losses import of_run
from sevenepochs.data.corpus.base import Corpus
from sevenepochs.data.corpus.sample import SampleCorpus
from sevenepochs.errors import UserError
from sevenepochs.experiment import Experiment
from sevenepochs.learning.schedule import ScheduleConfig
from sevenepochs.metrics import METRICS
from sevenepochs.model.attention import Causal
from sevenepochs.model.position import Rope
from sevenepochs.protocol.budget import evaluation_steps, permutation
from sevenepochs.store.run import layout, list_runs
from sevenepochs.training.step import training_step
from sevenepochs.training.trainer import resume_training, run_training


@dataclass(frozen=True)
class Cliff(ScheduleConfig):
    """A rate so large at one step that the next loss is not a number."""

    at: int = 4

    def multiplier(self, step, total):
        return 1e38 if step == self.at else 1.0


@pytest.fixture
def run(finished_run):
    return finished_run


def test_a_run_is_whole(run, tiny):
    assert run.state == "complete"
    assert Experiment.from_dict(run.config) == tiny
    assert (run.recipe, run.seed) == ("tiny", 1337)
    assert run.corpus["split"]["n_train"] == 90
    assert run.environment["run"]["device"] == "cpu" and run.environment["run"]["precision"] == "fp32"
    assert {path.name for path in run.path.iterdir()} >= {
        layout.MODEL, layout.TITLE_LOSSES, layout.CERTIFICATE, layout.SUMMARY, layout.TOKENIZER, layout.MAINRUN_LOG
    }  # fmt: skip


def test_every_step_and_evaluation_is_logged_once(watched_run):
    run, watcher = watched_run
    (plan,) = watcher.plans
    n_steps = run.summary["n_steps"]
    steps_per_epoch = n_steps // 7
    assert [row["step"] for row in run.training_curve()] == list(range(1, n_steps + 1))
    assert [row["step"] for row in run.evaluations()] == evaluation_steps(steps_per_epoch)
    assert [step for step, _ in watcher.evaluations] == evaluation_steps(steps_per_epoch)
    assert (plan.first_step, plan.n_steps, plan.steps_per_epoch) == (1, n_steps, steps_per_epoch)
    assert [p.train_loss_nats_per_token for p in watcher.steps] == [
        row["train_loss_nats_per_token"] for row in run.training_curve()
    ]
    for row in run.metrics():
        assert row.keys() - {"step", "event"} <= METRICS.keys()


def test_the_first_loss_is_chance_and_the_last_is_better(run):
    losses = [row["train_loss_nats_per_token"] for row in run.training_curve()]
    assert losses[0] == pytest.approx(math.log(300), abs=0.05)
    assert losses[-1] < losses[0] - 0.1
    rates = [row["lr_multiplier"] for row in run.training_curve()]
    assert rates[0] == 1.0 and rates == sorted(rates, reverse=True)


def test_the_final_figures_are_those_of_the_last_evaluation(run):
    """In fp32 the run's precision is the ranking's, so the two agree; the floor and the excess stand beside them."""
    figures = run.summary["figures"]
    last = run.evaluations()[-1]
    assert figures == run.summary["figures_run_precision"]
    for name in ("exact_val_loss", "official_val_loss_own_geometry", "floor_val_loss", "excess_val_loss"):
        assert figures[name] == pytest.approx(last[name], abs=1e-12), name
    assert figures["excess_val_loss"] == pytest.approx(figures["exact_val_loss"] - figures["floor_val_loss"])
    assert figures["excess_val_loss"] > 0
    assert figures["official_val_loss"] is None  # ten titles fill no window of 64x128
    assert figures["exact_val_bpc"] > figures["exact_val_loss"] / math.log(2)


def test_title_losses_are_the_exact_loss(run, tiny):
    tensors = run.load_tensors(layout.TITLE_LOSSES)
    data = tiny.load_data()
    assert len(tensors["nats"]) == data.validation.n_titles == 10
    assert len(tensors["log_probs"]) == len(data.validation.ids_N)
    exact = run.summary["figures"]["exact_val_loss"]
    assert tensors["nats"].sum() / data.validation.n_chars == pytest.approx(exact, abs=1e-12)


def test_losses_under_stock_rows_are_kept_where_the_rows_are_others(run, tiny):
    tensors = run.load_tensors(layout.TITLE_LOSSES)
    nats = tensors[layout.NATS_STOCK_ROWS]
    exact = run.summary["figures"]["exact_val_loss_stock_rows"]
    assert nats.sum() / tiny.load_data().validation.n_chars == pytest.approx(exact, abs=1e-12)
    assert nats.sum() != tensors["nats"].sum()
    stock = of_run(run).nats_stock_rows  # where compare finds them, also before the run is published
    assert stock is not None and stock.sum() == pytest.approx(nats.sum())


def test_the_challenges_log(run):
    events = [json.loads(line) for line in run.read_text(layout.MAINRUN_LOG).splitlines()]
    names = [event["event"] for event in events]
    assert names[:4] == ["hyperparameters_configured", "device_info", "dataset_info", "model_info"]
    assert events[1]["device"] == "cpu"  # the device that it ran on, not "auto"
    n_steps = run.summary["n_steps"]
    assert names.count("training_step") == n_steps
    last = [event for event in events if event["event"] == "validation_step"][-1]
    assert last["step"] == last["max_steps"] == n_steps
    assert last["loss"] == run.evaluations()[-1]["official_val_loss_own_geometry"]


def test_auto_device_is_resolved_in_the_log(tiny, tmp_path):
    run = run_training(tiny.replace_all({"training.device": "auto", "training.epochs": 1}), "x", tmp_path)
    device = json.loads(run.read_text(layout.MAINRUN_LOG).splitlines()[1])["device"]
    assert device == run.environment["run"]["device"] != "auto"


def test_another_seed_is_another_run_on_the_same_split(finished_run, tiny, tmp_path):
    run = run_training(tiny.replace("training.seed", 1338), "tiny", tmp_path)
    assert run.corpus["split"] == finished_run.corpus["split"]
    assert run.summary["figures"]["exact_val_loss"] != finished_run.summary["figures"]["exact_val_loss"]
    assert run.summary["figures"]["floor_val_loss"] == finished_run.summary["figures"]["floor_val_loss"]
    assert run.certificate["seeds"] == {"data_seed": 1337, "seed": 1338, "official": False}


def test_bf16_ranks_by_fp32(tiny, tmp_path):
    run = run_training(tiny.replace_all({"training.precision": "bf16", "training.epochs": 1}), "x", tmp_path)
    rough, exact = run.summary["figures_run_precision"], run.summary["figures"]
    assert rough["exact_val_loss"] != exact["exact_val_loss"]
    assert rough["exact_val_loss"] == pytest.approx(exact["exact_val_loss"], abs=0.01)
    assert run.load_model_tensors()["embedding.weight"].dtype == np.float32


# ---- what goes wrong ----


def test_a_loss_that_is_not_finite_stops_the_run(tiny, tmp_path):
    experiment = tiny.replace("schedule", Cliff(at=4))
    with pytest.raises(UserError, match=r"step 5: loss .*not finite; .*saved.*optimizer\.lr"):
        run_training(experiment, "x", tmp_path)
    (run,) = list_runs(tmp_path)
    assert run.state == "failed" and run.summary is None
    assert run.failure["step"] == 5 and "step 5" in run.failure["message"]
    tensors, state = run.load_checkpoint()
    assert (state["step"], state["tokens_used"]) == (4, 4 * 256)
    assert all(np.isfinite(array).all() for array in tensors.values())
    assert state["elapsed_seconds"] >= [row["elapsed_seconds"] for row in run.training_curve()][-1] > 0
    assert [row["step"] for row in run.training_curve()] == [1, 2, 3, 4]
    with pytest.raises(UserError, match="other titles"):  # a resume that does not come off changes nothing
        resume_training(run, experiment.replace("corpus.seed", 5))
    assert run.state == "failed" and run.failure["step"] == 5
    with pytest.raises(UserError, match="step 5"):  # the state is what it was, so it fails there again
        resume_training(run, experiment)
    assert run.state == "failed"


def test_a_batch_of_other_rows_is_one_clear_line(tiny, tmp_path, monkeypatch):
    """Batches of a user's own; the weights of parts and the places of masks count on the rows."""
    build = type(tiny.batches).build

    def cut_short(*arguments):
        batches = build(*arguments)
        whole = batches.batch
        monkeypatch.setattr(batches, "batch", lambda step: [array[: 7 if step == 3 else 8] for array in whole(step)])
        return batches

    monkeypatch.setattr(type(tiny.batches), "build", cut_short)
    with pytest.raises(UserError, match=r"step 3: .* 7 rows .*batches.batch_size = 8; "):
        run_training(tiny, "x", tmp_path)
    (run,) = list_runs(tmp_path)
    assert run.state == "failed"


def test_a_gpu_that_is_too_small_is_one_clear_line(tiny, tmp_path, monkeypatch):
    from sevenepochs.training import loop

    def too_large(*arguments, step, **options):
        if step == 5:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB.\nAnd a page of advice")
        return training_step(*arguments, step=step, **options)

    monkeypatch.setattr(loop, "training_step", too_large)
    with pytest.raises(
        UserError, match=r"step 5: out of memory on cpu; .* 2 GiB\..*training.micro_batches=2"
    ) as caught:
        run_training(tiny, "x", tmp_path)
    assert "advice" not in str(caught.value)
    (run,) = list_runs(tmp_path)
    assert run.state == "failed" and run.failure["step"] == 5


def test_a_cpu_that_is_too_small_is_one_clear_line_too(tiny, tmp_path, monkeypatch):
    from sevenepochs.training import loop

    monkeypatch.setattr(loop, "training_step", lambda *arguments, **options: torch.empty(2**62, dtype=torch.uint8))
    with pytest.raises(UserError, match=r"step 1: out of memory on cpu; .*allocate memory.*training.micro_batches=2"):
        run_training(tiny, "x", tmp_path)
    (run,) = list_runs(tmp_path)
    assert run.state == "failed"


def test_a_gpu_that_is_too_small_for_the_final_figures_is_one_clear_line_too(tiny, tmp_path, monkeypatch):
    from sevenepochs.training import trainer

    def too_large(*arguments):
        raise RuntimeError("MPS backend out of memory (MPS allocated: 9 GB).\nAnd a page of advice")

    monkeypatch.setattr(trainer, "conclude", too_large)
    with pytest.raises(UserError, match=r"out of memory on cpu; MPS .* 9 GB(?!.*micro_batches)"):
        run_training(tiny, "x", tmp_path)
    (run,) = list_runs(tmp_path)
    assert run.state == "failed" and run.failure is not None


def test_a_last_update_that_breaks_the_weights_leaves_no_complete_run(tiny, tmp_path):
    """No training loss follows it, so the validation loss has to tell."""
    last = tiny.build_batches(tiny.load_data()).steps_per_epoch
    with pytest.raises(UserError, match=rf"step {last}: validation loss nan: not finite; .* failed; .*optimizer\.lr"):
        run_training(tiny.replace_all({"schedule": Cliff(at=last), "training.epochs": 1}), "x", tmp_path)
    (run,) = list_runs(tmp_path)
    assert run.state == "failed" and run.summary is None and run.failure["step"] == last


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"model.d_model": 100_000, "model.n_layer": 1000}, "d_model = 100000 .* GiB of weights, this machine has"),
        ({"model.mlp.expansion": 100_000_000, "model.d_model": 1024}, "memory cannot hold the model"),
    ],
)
def test_a_model_that_no_memory_holds_is_refused_before_a_folder_exists(tiny, tmp_path, change, says):
    with pytest.raises(UserError, match=says):
        run_training(tiny.replace_all(change), "x", tmp_path)
    assert not list_runs(tmp_path)


def test_what_the_kernel_would_kill_is_refused(tiny, tmp_path, monkeypatch):
    model = tiny.build_model(tiny.tokenizer.vocab_size)
    weights_bytes = 4 * sum(parameter.numel() for parameter in model.parameters())
    monkeypatch.setattr("sevenepochs.model.hardware.physical_memory_bytes", lambda: weights_bytes)
    with pytest.raises(UserError, match=r"parameters .* GiB to train, this machine has 0; .*model\.d_model"):
        run_training(tiny, "x", tmp_path)
    assert not list_runs(tmp_path)


def test_a_first_loss_that_is_not_finite(tiny, tmp_path):
    """Resumed with a sound setting it begins where it stood, and the log's opening is there once."""
    with pytest.raises(UserError, match="step 1:"):
        run_training(tiny.replace("model.init.std", 10.0).replace("model.attention", Overflows()), "x", tmp_path)
    (run,) = list_runs(tmp_path)
    assert run.load_checkpoint()[1]["step"] == 0
    done = resume_training(run, tiny)
    assert done.state == "complete"
    assert run.read_text(layout.MAINRUN_LOG).count("hyperparameters_configured") == 1


@dataclass(frozen=True)
class Overflows(Causal):
    def build(self, d_model, n_head, block_size):
        attention = super().build(d_model, n_head, block_size)
        attention.register_forward_hook(lambda module, x, y: y * float("inf"))
        return attention


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"corpus": SampleCorpus(n_titles=10), "batches.batch_size": 64}, "training tokens, less than one batch"),
        ({"model.d_model": 14, "model.attention.rotary": Rope()}, "must be even"),
        pytest.param(
            {"training.device": "cuda"},
            "torch sees no such device",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="has CUDA"),
        ),
    ],
)
def test_what_does_not_fit_is_refused_before_a_folder_exists(tiny, tmp_path, changes, says):
    with pytest.raises(UserError, match=says):
        run_training(tiny.replace_all(changes), "x", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_validation_split_without_text_is_refused(tiny, tmp_path, monkeypatch):
    """Bits per character of no characters: said before the seven epochs, not after."""
    blank = np.full(10, "a title of some length", dtype=object)
    blank[permutation(10)[9]] = "  "
    monkeypatch.setattr(SampleCorpus, "load", lambda self, announce: Corpus("blank", list(blank), {}))
    with pytest.raises(UserError, match="all 1 validation titles are empty"):
        run_training(tiny.replace_all({"batches.batch_size": 1, "batches.block_size": 8}), "x", tmp_path / "runs")
    assert not (tmp_path / "runs").exists()
