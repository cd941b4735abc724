"""docs/performance.md and its figures: from records alone, derived once, and honest about what nobody measured."""

import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sevenepochs.errors import UserError
from sevenepochs.recipes.configs import expected_config
from sevenepochs.report.bench_records import BenchRecord, read_records
from sevenepochs.report.markers import update_page
from sevenepochs.report.performance import (
    best_product_flops,
    figures,
    preparation_table,
    sections,
    sizes_table,
    step_line,
    step_table,
    time_to_loss_table,
)
from sevenepochs.store.facts import MachineFacts
from sevenepochs.store.results import Result

ROOT = Path(__file__).parents[2]
CPU = {
    "device": "cpu",
    "device_name": None,
    "cpu_model": "A CPU",
    "cpu_flags": ["avx512f", "avx2"],
    "cpu_count_usable": 2,
    "onednn_max_cpu_isa": None,
}
FACTS: dict[str, Any] = {
    "created_utc": "2026-11-24T12:00:00+00:00",
    "commit": "0123456789abcdef",
    "dirty": False,
    "command": "python benchmarks/bench.py",
    "machine": CPU,
    "threads": 2,
    "precision": "fp32",
    "torch": "2.13.0",
    "packages": {},
}
PRODUCTS = [{"size": 1024, "flop_per_second": 8e10}, {"size": 2048, "flop_per_second": 1e11}]
PRODUCTS += [{"size": 8192, "flop_per_second": None}]
SHAPE = {"d_model": 512, "n_head": 8, "block_size": 128, "batch_size": 64, "compile": "on"}


def peer(name: str, seconds: list[float], mib: int) -> dict[str, Any]:
    return {"peer": name, "note": "", "seconds": seconds, "peak_bytes_above_start": mib * 2**20, "last_loss": 9.0}


STEP = {
    "shape": SHAPE,
    "products": PRODUCTS,
    "tokens_per_step": 8192,
    "flop_per_step": 5e10,
    "rows": [peer("ours", [1.0, 2.0, 1.0], 600), peer("plain", [2.0, 4.0, 1.5], 1000)],
    "left_out": {"litgpt": "not installed"},
}
SIZES = {
    "products": PRODUCTS,
    "rows": [
        {"shape": {**SHAPE, **change}, "flop_per_step": flop, "seconds": [s, 2 * s, s], "peak_bytes_above_start": 1}
        for change, flop, s in (
            ({"d_model": 256}, 1e10, 0.3),
            ({}, 5e10, 1.0),
            ({"d_model": 1024}, 2e11, 3.5),
            ({"block_size": 64, "batch_size": 128}, 4e10, 0.9),
            ({"block_size": 256, "batch_size": 32}, 6e10, 1.3),
        )
    ],
}
PREPARATION = {
    "rows": [
        {
            "n_titles": n,
            "n_tokens": 13 * n,
            "vocab_size": 9000,
            "runs": [
                {"seconds": {"load": s, "tokenizer": 4 * s, "encode": 2 * s}, "peak_bytes": n} for s in (1.0, 3.0, 2.0)
            ],
        }
        for n in (1000, 4000)
    ]
}


def record(benchmark: str, content: dict[str, Any], **changes: Any) -> BenchRecord:
    return BenchRecord(**copy.deepcopy({"benchmark": benchmark, **FACTS, **changes, "content": content}))


@pytest.fixture()
def results(tmp_path: Path) -> Path:
    for name, content in (("step", STEP), ("sizes", SIZES), ("preparation", PREPARATION)):
        record(name, content).write(tmp_path)
    return tmp_path


def test_ratios_are_of_paired_rounds_and_the_roof_is_the_best_product() -> None:
    assert best_product_flops(PRODUCTS) == 1e11
    head, (ours, plain, _) = step_table(record("step", STEP))
    told = dict(zip(head, plain, strict=True))
    assert (told["s a step"], told["least-most"]) == ("2.000", "1.500-4.000")
    assert told["ours is faster by"] == "2.00 x"  # of 2, 2 and 1.5
    assert (told["MFU"], told["ours of it"], dict(zip(head, ours, strict=True))["MFU"]) == ("25.0%", "60.0%", "50.0%")
    (alone, _) = step_table(record("step", {**STEP, "rows": STEP["rows"][1:]}))[1]
    assert (alone[4], alone[7]) == ("-", "-")


def test_tables_say_what_was_measured_and_what_was_left_out() -> None:
    head, rows = step_table(record("step", STEP))
    assert all(len(row) == len(head) for row in rows)
    assert rows[1][1:8] == ["2.000", "1.500-4.000", "4,096", "2.00 x", "25.0%", "1,000", "60.0%"]
    assert rows[2][:2] == ["litgpt", "left out: not installed"]
    assert "8192: too slow to try" in step_line(record("step", STEP)) and "0.1 TFLOP/s" in step_line(
        record("step", STEP)
    )
    head, rows = sizes_table(record("sizes", SIZES))
    assert rows[1] == ["512", "8", "128", "64", "0.05", "1.000", "1.000-2.000", "8,192", "50.0%"]
    head, rows = preparation_table(record("preparation", PREPARATION))
    assert rows[0] == ["1,000", "13,000", "9,000", "2.0", "8.0", "4.0", "14.0", "7.0-21.0", "0"]
    assert all(len(row) == len(head) for row in rows)


def test_a_step_in_parts_says_so() -> None:
    ours = {**STEP["rows"][0], "note": "dropout on", "micro_batches": 4}
    assert [row[-1] for row in step_table(record("step", {**STEP, "rows": [ours, STEP["rows"][1]]}))[1][:2]] == [
        "dropout on, in 4 micro-batches",
        "",
    ]


def test_who_has_cuda_graphs_is_said_where_there_are_any() -> None:
    def line(compile: str, device: str) -> str:
        return step_line(record("step", {**STEP, "shape": {**SHAPE, "compile": compile, "device": device}}))

    assert "compiled; square" in line("auto", "cpu") and "not compiled; square" in line("off", "cuda")
    assert "compiled, ours with CUDA graphs; square" in line("auto", "cuda")
    assert "compiled, nobody with CUDA graphs; square" in line("on", "cuda")


def test_a_short_step_keeps_its_digits() -> None:
    rows = [{**STEP["rows"][0], "seconds": [0.01124, 0.0112]}]
    assert step_table(record("step", {**STEP, "rows": rows}))[1][0][1] == "0.01122"


def test_each_kind_of_machine_has_a_file_of_its_own(results: Path) -> None:
    amx = {**CPU, "cpu_flags": ["amx_bf16", "avx512_bf16", "avx512f", "avx2"]}
    machines = [amx, {**amx, "onednn_max_cpu_isa": "AVX2"}, {"device": "cuda", "device_name": "NVIDIA H100 80GB HBM3"}]
    names = {record("step", STEP, machine=machine).write(results).name for machine in machines}
    assert names == {
        "step_a-cpu-amx-2-cores.json",
        "step_a-cpu-onednn-held-to-avx2-2-cores.json",
        "step_nvidia-h100-80gb-hbm3.json",
    }
    assert len(read_records(results, "step")) == 4
    again = record("step", STEP).write(results)
    assert again.name == "step_a-cpu-avx512-2-cores.json" and len(read_records(results, "step")) == 4


def test_the_page_is_filled_from_the_records(results: Path, tmp_path: Path) -> None:
    page = tmp_path / "performance.md"
    names = ("step", "missing", "sizes", "preparation", "time_to_loss")
    page.write_text("A\n" + "".join(f"<!-- {name}:start -->\n<!-- {name}:end -->\n" for name in names))
    update_page(page, sections(results))
    text = page.read_text()
    assert "A CPU (AVX512), 2 cores: 2 threads, fp32, torch 2.13.0, commit 01234567; 2026-11-24" in text
    assert "figures/performance_step_a-cpu-avx512-2-cores.svg" in text


def test_what_is_missing_is_named(results: Path, tmp_path: Path) -> None:
    empty = sections(tmp_path / "nothing")
    assert all("ot measured" in text for text in empty.values())
    missing = sections(results)["missing"]
    assert "| an H100 | not measured |" in missing and "| a CPU with AMX | not measured |" in missing
    held = {**CPU, "cpu_flags": ["amx_bf16"], "onednn_max_cpu_isa": "AVX2"}
    record("step", STEP, machine=held).write(results)
    assert "| a CPU with AMX | not measured |" in sections(results)["missing"]
    record("step", STEP, machine={"device": "cuda", "device_name": "NVIDIA H100"}).write(results)
    assert "| an H100 | NVIDIA H100 |" in sections(results)["missing"]


def test_a_damaged_record_is_named(results: Path) -> None:
    file = results / "bench" / "step_b.json"
    for text in ("{", "[]", '{"schema_version": 1}', '{"schema_version": 99}'):
        file.write_text(text)
        with pytest.raises(UserError, match=r"step_b\.json"):
            read_records(results, "step")


def test_one_figure_per_record(results: Path) -> None:
    pytest.importorskip("matplotlib")
    drawn = figures(results)
    assert len(drawn) == 3 and figures(results) == drawn
    step = drawn["performance_step_a-cpu-avx512-2-cores.svg"]
    assert "ours" in step and "A CPU (AVX512), 2 cores" in step


def run(root: Path, recipe: str, curve: list[tuple[int, float, float]], seed: int = 1337, titles: str = "t") -> Result:
    published = Result.read(ROOT / "results" / "baseline_hn_titles_s1337").facts
    split = replace(published.corpus.split, validation_titles_sha256=titles)
    facts = replace(
        published,
        recipe=recipe,
        seed=seed,
        n_steps=9,
        corpus=replace(published.corpus, kind="file", split=split),
        machine=MachineFacts(threads=2, cpu_model="A CPU", precision="fp32"),
    )
    config = expected_config(Result(None, facts)) or {"training": {}}
    facts = replace(facts, config={**config, "corpus": {}})
    path = root / f"{recipe}_{seed}"
    path.mkdir()
    lines = [f"{step},evaluation,{loss},{seconds}" for step, loss, seconds in curve]
    lines.insert(1, "2,training,,5.0")
    (path / "curve.csv").write_text("step,event,exact_val_loss,elapsed_seconds\n" + "\n".join(lines) + "\n")
    return Result(path, facts)


def on_machine(device_name: str, result: Result) -> Result:
    machine = MachineFacts(device_name=device_name, precision="bf16")
    return replace(result, facts=replace(result.facts, machine=machine))


def test_a_run_is_held_against_stock_on_a_machine_of_its_kind(tmp_path: Path) -> None:
    on_a_cpu = run(tmp_path, "baseline", [(9, 2.0, 600.0)])
    on_a_gpu = run(tmp_path, "baseline", [(9, 1.9, 30.0)], seed=1338)
    fast, slow, other = (run(tmp_path, name, [(9, 1.0, 5.0)]) for name in ("fast", "slow", "other"))
    on_a_gpu, fast = (on_machine("A GPU", result) for result in (on_a_gpu, fast))
    other = on_machine("Another", other)
    rows = time_to_loss_table([on_a_gpu, slow, other, fast, on_a_cpu])[1]
    assert {row[0]: row[-1] for row in rows} == {"`fast`": "0.5", "`slow`": "10", "`other`": "10"}  # stock's minutes


def test_a_run_passes_stock_at_its_first_evaluation_at_or_below(tmp_path: Path) -> None:
    stock = run(tmp_path, "baseline", [(1, 3.0, 10.0), (5, 2.0, 300.0), (9, 1.5, 600.0)])
    better = run(tmp_path, "adamw", [(1, 2.5, 10.0), (5, 1.5, 240.0), (9, 1.2, 500.0)])
    never = run(tmp_path, "worse", [(1, 2.5, 10.0), (9, 1.6, 500.0)])
    elsewhere = run(tmp_path, "muon", [(1, 1.0, 10.0)], titles="others")
    head, rows = time_to_loss_table([never, elsewhere, better, stock])
    assert all(len(row) == len(head) for row in rows) and [row[0] for row in rows] == ["`adamw`", "`worse`"]
    assert rows[0][3:] == ["1.5000", "5 of 9", "4.0", "10"] and rows[1][4:] == ["never", "-", "10"]
