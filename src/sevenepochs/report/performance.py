"""docs/performance.md: tables and figures of the benchmarks in results/bench/, and of the curves in results/.

The terminal shows the same tables (benchmarks/bench.py). The page names what it promises to compare and nobody has
measured. No torch.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from sevenepochs.metrics import format_metric
from sevenepochs.questions.figures import performance as plot
from sevenepochs.recipes.configs import called
from sevenepochs.recipes.listing import LADDER
from sevenepochs.report.bench_records import BenchRecord, read_records, unit
from sevenepochs.report.inputs import evaluations, read_curve
from sevenepochs.report.markers import wrapped
from sevenepochs.report.tables import table
from sevenepochs.store.facts import commit_words
from sevenepochs.store.results import Result, list_results

Table = tuple[list[str], list[list[str]]]
Point = Callable[[Mapping[str, Any], Mapping[str, Any]], dict[str, Any]]
_STAGES = ("load", "tokenizer", "encode")
# by `compile` of a shape on a GPU
_GRAPHS = {"auto": ", ours with CUDA graphs", "on": ", nobody with CUDA graphs", "graphs": ", all with CUDA graphs"}
# what somebody who chooses a machine asks about
_EXPECTED: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "an H100": lambda machine: "H100" in str(machine.get("device_name")),
    "a CPU with AMX": lambda machine: machine.get("device") == "cpu" and unit(machine) == "AMX",
}


def sections(results_root: Path) -> dict[str, str]:
    """Return Markdown by marker name. Raises UserError: a record or a result is damaged."""
    steps = read_records(results_root, "step")
    missing = []
    for name, is_there in _EXPECTED.items():
        missing.append([name, ", ".join(r.machine_words for r in steps if is_there(r.machine)) or "not measured"])
    head, rows = time_to_loss_table(list_results(results_root))
    return {
        **{benchmark: _blocks(results_root, benchmark) for benchmark in _SHOWN},
        "time_to_loss": table(head, rows) if rows else "Not measured yet: no run beside stock.",
        "missing": table(["machine", "training step"], missing),
    }


def figures(results_root: Path) -> dict[str, str]:
    """Return one SVG per record, by file name. Raises UserError: matplotlib is not installed, or a record is
    damaged."""
    svgs = {}
    for benchmark, (_, _, point, figure) in _SHOWN.items():
        for record in read_records(results_root, benchmark):
            points = [point(row, record.content) for row in record.content["rows"]]
            svgs[_figure_name(record)] = figure(points, f"{record.machine_words}, {_how(record)}")
    return svgs


def _blocks(results_root: Path, benchmark: str) -> str:
    """Per machine: conditions, table, figure."""
    rows_of, line_of, *_ = _SHOWN[benchmark]
    blocks = []
    for record in read_records(results_root, benchmark):
        blocks.append(wrapped(". ".join(filter(None, [conditions(record), line_of(record)]))))
        blocks.append(table(*rows_of(record)))
        blocks.append(f"![{benchmark}, {record.machine_words}](figures/{_figure_name(record)})")
    return "\n\n".join(blocks) or f"Not measured yet (`make bench ARGS={benchmark}`)."


def conditions(record: BenchRecord) -> str:
    """Return one line: machine, threads, precision, versions, day and command."""
    commit = commit_words(record.commit, record.dirty)
    what = ", ".join(filter(None, [_how(record), f"torch {record.torch}", f"commit {commit}"]))
    return f"{record.machine_words}: {what}; {record.created_utc[:10]}; `{record.command}`"


def _how(record: BenchRecord) -> str:
    return ", ".join(filter(None, [f"{record.threads} threads", record.precision]))


def step_table(record: BenchRecord) -> Table:
    """Return one row per package whose step was timed, and one per package that was left out.

    Seconds are medians over the rounds. "ours is faster by" is the median over paired rounds, so that what slows both
    cancels; "-" where ours did not run. Memory is the most that timed steps held above the level before the first.
    """
    head = ["", "s a step", "least-most", "tokens/s", "ours is faster by", "MFU", "peak memory, MiB", "ours of it"]
    content = record.content
    roof = best_product_flops(content["products"])
    ours = next((row for row in content["rows"] if row["peer"] == "ours"), None)
    rows = []
    for row in content["rows"]:
        seconds, memory = statistics.median(row["seconds"]), row["peak_bytes_above_start"]
        rate = format_metric("tokens_per_second", content["tokens_per_step"] / seconds)
        mfu = format_metric("mfu", content["flop_per_step"] / seconds / roof)
        faster = share = "" if row is ours else "-"
        if ours is not None and row is not ours:
            ratios = (a / b for a, b in zip(row["seconds"], ours["seconds"], strict=True))
            faster = format_metric("speed_ratio", statistics.median(ratios), unit=True)
            share = format_metric("share", ours["peak_bytes_above_start"] / memory)
        parts = row.get("micro_batches", 1)
        note = row["note"] + (f", in {parts} micro-batches" if parts > 1 else "")
        spread = _spread("step_seconds", row["seconds"])
        rows.append([row["peer"], *spread, rate, faster, mfu, _mib(memory), share, note])
    for name, reason in content["left_out"].items():
        rows.append([name, f"left out: {reason}", *[""] * (len(head) - 1)])
    return [*head, "note"], rows


def step_line(record: BenchRecord) -> str:
    """Return the step's size, and the roof of MFU as it was measured."""
    content, shape = record.content, record.content["shape"]
    compiled = "not compiled" if shape["compile"] == "off" else "compiled"
    if compiled == "compiled" and shape.get("device") == "cuda":
        compiled += _GRAPHS[shape["compile"]]
    flop = format_metric("step_tflop", content["flop_per_step"] / 1e12, unit=True)
    return f"{content['tokens_per_step']:,} tokens a step, {flop}, {compiled}; {_products_line(record)}"


def _products_line(record: BenchRecord) -> str:
    """The rates of square products before and after the steps, those that would have taken too long named as such."""
    products = record.content["products"]
    rates = []
    for product in products:
        seen = product.get("before_and_after", [product["flop_per_second"]])
        told = " and ".join(_tflops(rate) for rate in seen if rate is not None)
        rates.append(f"{product['size']}: {told or 'too slow to try'}")
    return f"square products reach {_tflops(best_product_flops(products), unit=True)} ({', '.join(rates)})"


def best_product_flops(products: Sequence[Mapping[str, Any]]) -> float:
    """Return the roof: the best rate over the sizes that were tried, FLOP/s."""
    return float(max(p["flop_per_second"] for p in products if p["flop_per_second"] is not None))


def sizes_table(record: BenchRecord) -> Table:
    """Return one row per shape, the stock shape among both series."""
    best = best_product_flops(record.content["products"])
    head = ["d_model", "heads", "block size", "rows", "TFLOP a step", "s a step", "least-most", "tokens/s", "MFU"]
    rows = []
    for row in record.content["rows"]:
        shape, flop, seconds = row["shape"], row["flop_per_step"], statistics.median(row["seconds"])
        sizes = (str(shape[name]) for name in ("d_model", "n_head", "block_size", "batch_size"))
        rate = format_metric("tokens_per_second", shape["batch_size"] * shape["block_size"] / seconds)
        cells = [*sizes, format_metric("step_tflop", flop / 1e12), *_spread("step_seconds", row["seconds"])]
        rows.append([*cells, rate, format_metric("mfu", flop / seconds / best)])
    return head, rows


def preparation_table(record: BenchRecord) -> Table:
    """Return one row per number of titles: medians over the repetitions, the most memory of any."""
    head = ["titles", "tokens", "vocabulary", "read, s", "train tokenizer, s", "encode, s", "together, s", "least-most"]
    rows = []
    for row in record.content["rows"]:
        *stages, together = _preparation_seconds(row).values()
        sizes = (f"{row[name]:,}" for name in ("n_titles", "n_tokens", "vocab_size"))
        medians = (format_metric("preparation_seconds", statistics.median(seconds)) for seconds in stages)
        memory = _mib(max(run["peak_bytes"] for run in row["runs"]))
        rows.append([*sizes, *medians, *_spread("preparation_seconds", together), memory])
    return [*head, "peak memory, MiB"], rows


def _preparation_seconds(row: Mapping[str, Any]) -> dict[str, list[float]]:
    """The seconds of every repetition, by stage, and of all stages "together"."""
    of_runs = [run["seconds"] for run in row["runs"]]
    stages = {stage: [seconds[stage] for seconds in of_runs] for stage in _STAGES}
    return {**stages, "together": [sum(seconds.values()) for seconds in of_runs]}


def time_to_loss_table(results: Sequence[Result]) -> Table:
    """Return when each full run passed the final exact loss of the stock recipe on its titles, fastest first.

    A run is held against the first seed of stock on a machine of its kind, where there is none against the first seed.
    A run knows its exact loss only where it evaluated, so it passes at the first evaluation at or below the loss.
    Minutes are a run's own, evaluations among them: nothing is converted from one machine to another. Raises UserError:
    a curve is damaged.
    """
    head = ["recipe", "seed", "machine", "stock's final exact loss", "passed at step", "after, min", "stock took, min"]
    full = sorted((result for result in results if not result.is_proxy), key=lambda r: r.seed)
    stocks = [result for result in full if called(result) == LADDER[0]]
    rows = []
    for result in results:
        of_titles = [stock for stock in stocks if stock.titles == result.titles]
        if result.is_proxy or result in stocks or not of_titles:
            continue
        stock = next((s for s in of_titles if s.machine.words == result.machine.words), of_titles[0])
        end = evaluations(read_curve(stock))[-1]
        passed = (row for row in evaluations(read_curve(result)) if row["exact_val_loss"] <= end["exact_val_loss"])
        at = next(passed, None)
        cells = [
            f"`{called(result)}`",
            str(result.seed),
            result.machine.words,
            format_metric("exact_val_loss", end["exact_val_loss"]),
            f"{at['step']:,} of {result.facts.n_steps:,}" if at else "never",
            format_metric("elapsed_minutes", at["elapsed_seconds"] / 60 if at else None),
            format_metric("elapsed_minutes", end["elapsed_seconds"] / 60),
        ]
        rows.append((result.titles, at["elapsed_seconds"] if at else float("inf"), cells))
    return head, [cells for _, _, cells in sorted(rows, key=lambda row: row[:2])]


def _spread(metric: str, seconds: Sequence[float]) -> list[str]:
    """Two cells: the median, and least to most."""
    least_most = "-".join(format_metric(metric, pick(seconds)) for pick in (min, max))
    return [format_metric(metric, statistics.median(seconds)), least_most]


def _mib(n_bytes: float) -> str:
    return format_metric("memory_mib", n_bytes / 2**20)


def _tflops(flops: float, *, unit: bool = False) -> str:
    return format_metric("product_tflops", flops / 1e12, unit=unit)


def _figure_name(record: BenchRecord) -> str:
    return f"performance_{record.file_name.removesuffix('.json')}.svg"


def _step_bar(row: Mapping[str, Any], content: Mapping[str, Any]) -> dict[str, Any]:
    n_tokens, seconds = content["tokens_per_step"], row["seconds"]
    rates = {"low": n_tokens / max(seconds), "high": n_tokens / min(seconds)}
    return {"name": row["peer"], "tokens_per_second": n_tokens / statistics.median(seconds), **rates}


def _size(row: Mapping[str, Any], content: Mapping[str, Any]) -> dict[str, Any]:
    return {**row["shape"], "seconds": statistics.median(row["seconds"]), "flop": row["flop_per_step"]}


def _stages(row: Mapping[str, Any], content: Mapping[str, Any]) -> dict[str, Any]:
    medians = {stage: statistics.median(seconds) for stage, seconds in _preparation_seconds(row).items()}
    return {"n_titles": row["n_titles"], "seconds": medians}


# per benchmark: its table, what else the line above it says, what its figure shows of a row, and its figure
_SHOWN: dict[str, tuple[Callable[[BenchRecord], Table], Callable[[BenchRecord], str], Point, Callable[..., str]]] = {
    "step": (step_table, step_line, _step_bar, plot.steps),
    "sizes": (sizes_table, _products_line, _size, plot.sizes),
    "preparation": (preparation_table, lambda record: "", _stages, plot.preparation),
}
