"""What a run takes, from two speeds of the machine; measured runs are in docs/log, "How long a step takes"."""

import pytest

from sevenepochs.recipes.catalog import load_recipe
from sevenepochs.training.estimate import Speeds, _seconds, estimate


def step_seconds(recipe, changes, speeds, **options):
    """Of one step, without its update: from runs of one and of two steps."""
    experiment = load_recipe(recipe).replace_all({"model.embedding": "table", "optimizer": "sgd", **changes})
    model = experiment.build_model(16_000)
    one, two = (_seconds(experiment, model, 7 * n, 0.0, options.get("compiled", True), speeds) for n in (1, 2))
    return (two - one) / 7


@pytest.mark.parametrize(
    ("recipe", "changes", "speeds", "measured"),
    [
        # one thread of a Xeon with AMX, beside another training
        ("laptop_letters", {"model.d_model": 192, "model.n_head": 3, "batches.batch_size": 4}, (1.0e12, 0.9e9),
         1020 / 2250),
        ("laptop_letters", {}, (1.0e12, 0.9e9), 4076 / 1100),
        ("adamw", {}, (1.0e12, 0.9e9), 8192 / 1860),
        # results/bench: two threads of an EPYC with AVX512-BF16, whose softmax is not known: twice one thread's
        ("adamw", {"model.d_model": 128, "model.n_head": 2}, (0.43e12, 2e9), 0.750),
        ("adamw", {}, (0.43e12, 2e9), 4.04),
        ("adamw", {"model.d_model": 1024, "model.n_head": 16}, (0.43e12, 2e9), 13.0),
    ],
)  # fmt: skip
def test_measured_steps_are_within_a_quarter(recipe, changes, speeds, measured):
    assert step_seconds(recipe, changes, Speeds(*speeds)) == pytest.approx(measured, rel=0.25)


def test_a_machine_of_twice_the_speed_takes_half_and_an_eager_step_longer():
    small = {"model.d_model": 64, "model.n_layer": 1}
    usual = step_seconds("adamw", small, Speeds(1e12, 1e9))
    assert step_seconds("adamw", small, Speeds(2e12, 2e9)) == pytest.approx(usual / 2)
    assert step_seconds("adamw", small, Speeds(1e12, 1e9), compiled=False) > 1.2 * usual


def test_the_range_and_the_speeds_are_told(tiny, monkeypatch):
    monkeypatch.setattr(Speeds, "measured", classmethod(lambda cls, device, precision: Speeds(2e12, 3e9)))
    told = estimate(tiny)
    low, high = told["seconds_range"]
    assert low < told["seconds"] < high < 4 * low
    assert "2.00 TFLOP/s" in told["time_source"] and "3 billion" in told["time_source"]


def test_speeds_are_measured():
    flop, elements = Speeds.measured("cpu", "fp32")
    assert 1e9 < flop < 1e15 and 1e7 < elements < 1e13
