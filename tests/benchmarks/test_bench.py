"""The benchmarks' pure parts. What they measure is not tested: it depends on the machine."""

import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "benchmarks"


@pytest.fixture(autouse=True)
def importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FOLDER))


def test_the_stock_step_is_the_experiments() -> None:
    from shape import Shape

    from sevenepochs.recipes.story import baseline

    shape, experiment = Shape(), baseline()
    assert shape.flop == experiment.step_flop(experiment.build_model(shape.vocab_size))
    assert shape.tokens == 8192 and shape.flop == pytest.approx(1.37e12, rel=0.01)
    assert Shape.from_json(shape.to_json()) == shape


def test_the_shape_is_changed_by_name() -> None:
    from shape import Shape

    shape = Shape().with_settings(["n_layer=2", "dropout=0.2", "precision=fp32", "compile=off"])
    assert (shape.n_layer, shape.dropout, shape.precision, shape.compile) == (2, 0.2, "fp32", "off")
    for wrong in ("layers=2", "n_layer", "n_layer=two"):
        with pytest.raises(ValueError):
            Shape().with_settings([wrong])


def test_everybody_gets_the_same_tokens() -> None:
    from shape import Shape

    shape = Shape(batch_size=3, block_size=5, vocab_size=50)
    x_BT, y_BT = shape.batch(7)
    assert (x_BT == shape.batch(7)[0]).all() and not (x_BT == shape.batch(8)[0]).all()
    assert (x_BT[:, 1:] == y_BT[:, :-1]).all() and x_BT.max() < 50


def test_sizes_change_one_thing_at_one_number_of_tokens() -> None:
    from shape import Shape
    from sizes import BLOCK_SIZES, D_MODELS, series

    stock = Shape()
    shapes = series(stock)
    assert len(shapes) == len(D_MODELS) + len(BLOCK_SIZES) - 1 and shapes.count(stock) == 1
    assert {shape.tokens for shape in shapes} == {stock.tokens}
    assert all((shape.d_model == stock.d_model) or (shape.block_size == stock.block_size) for shape in shapes)
    assert all(shape.d_model % shape.n_head == 0 for shape in shapes)


def test_a_product_that_would_take_too_long_is_left_out() -> None:
    import torch
    from probe import product_rates

    rates = product_rates("cpu", torch.float32, sizes=(32, 64, 100_000), max_seconds=0.5)
    assert rates[32] and rates[64] and rates[100_000] is None


def test_the_roof_is_the_better_of_before_and_after() -> None:
    from bench import before_and_after

    before = [{"size": 1024, "flop_per_second": 4e11}, {"size": 8192, "flop_per_second": None}]
    after = [{"size": 1024, "flop_per_second": 5e11}, {"size": 8192, "flop_per_second": 3e11}]
    for one, other in ((before, after), (after, before)):
        assert [p["flop_per_second"] for p in before_and_after(one, other)] == [5e11, 3e11]
    assert before_and_after(before, after)[0]["before_and_after"] == [4e11, 5e11]
    assert before_and_after(before, before)[1]["flop_per_second"] is None


def test_a_changed_benchmark_does_not_replace_the_record(tmp_path: Path) -> None:
    from bench import BENCHMARKS, RESULTS, parse

    everything = parse([])
    assert everything.results == RESULTS and tuple(everything.benchmarks) == BENCHMARKS
    assert parse(["step"]).results == RESULTS
    for changed in (["--set", "n_layer=2"], ["--peers", "ours"], ["--rounds", "1"], ["--titles", "100"]):
        assert parse(changed).results is None
        assert parse([*changed, "--results", str(tmp_path)]).results == tmp_path
    for wrong in (["steps"], ["step", "--peers", "nobody"]):
        with pytest.raises(SystemExit):
            parse(wrong)


def test_a_record_names_its_source_and_no_folder(tmp_path: Path) -> None:
    from record import record_facts, source_state

    git = ["git", "-c", "user.name=n", "-c", "user.email=e@example.org"]
    (tmp_path / "code.py").write_text("1")
    for command in (["init", "-q"], ["add", "."], ["commit", "-qm", "m"]):
        subprocess.run([*git, *command], cwd=tmp_path, check=True)
    state = source_state(tmp_path)
    assert len(state["commit"]) == 40 and state["dirty"] is False
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "new.json").write_text("1")
    assert source_state(tmp_path)["dirty"] is False
    (tmp_path / "code.py").write_text("2")
    assert source_state(tmp_path)["dirty"] is True
    facts = record_facts(tmp_path, ["step", "--results", "/home/somebody/x", "--rounds", "2"], 2)
    assert facts["command"] == "python benchmarks/bench.py step --rounds 2"
    assert record_facts(tmp_path, ["--results=/home/somebody/x"], 2)["command"] == "python benchmarks/bench.py"


def test_titles_are_prepared_from_files_in_fresh_processes() -> None:
    from preparation import preparation

    lines: list[str] = []
    rows = preparation([40, 80], rounds=2, threads=1, say=lines.append)["rows"]
    assert [row["n_titles"] for row in rows] == [40, 80] and rows[0]["n_tokens"] < rows[1]["n_tokens"]
    assert all(len(row["runs"]) == 2 for row in rows) and len(lines) == 5
    assert all(
        run["peak_bytes"] > 1e6 and set(run["seconds"]) == {"load", "tokenizer", "encode"} for run in rows[0]["runs"]
    )


def test_a_contestants_process_says_what_its_step_is_and_takes_steps() -> None:
    from contestant import Contestant
    from shape import Shape

    small = dict(vocab_size=50, n_layer=1, n_head=1, d_model=8, block_size=4, batch_size=2)
    contestant = Contestant("ours", Shape(**small, compile="off", device="cpu", precision="fp32"))
    try:
        contestant.run(2)
    finally:
        contestant.close()
    assert contestant.facts["micro_batches"] == 1 and "dropout on" in contestant.facts["note"]
    assert contestant.seconds[0] > 0 and 0 < contestant.loss < 10
