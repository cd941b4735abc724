"""The benchmarks' tables, as heads and rows: the terminal and docs/performance.md show the same ones. No torch."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from sevenepochs.metrics import format_metric
from sevenepochs.report.bench_records import BenchRecord
from sevenepochs.report.step_comparison import OURS, best_product_flops, contestants
from sevenepochs.store.facts import commit_words

Table = tuple[list[str], list[list[str]]]
# by `compile` of a shape on a GPU
_GRAPHS = {"auto": ", ours with CUDA graphs", "on": ", nobody with CUDA graphs", "graphs": ", all with CUDA graphs"}
STAGES = ("load", "tokenizer", "encode")


def conditions(record: BenchRecord) -> str:
    """One line: machine, precision, threads, versions, source and command."""
    commit = commit_words(record.commit, record.dirty)
    how = [f"{record.threads} threads", record.precision, f"torch {record.torch}", f"commit {commit}"]
    what = ", ".join(part for part in how if part)
    return f"{record.machine_words}: {what}; {record.created_utc[:10]}; `{record.command}`"


def step_table(record: BenchRecord) -> Table:
    """One row a contestant; those left out are named."""
    head = [
        "",
        "s a step",
        "least-most",
        "tokens/s",
        "ours is faster by",
        "MFU",
        "peak memory, MiB",
        "ours of it",
        "note",
    ]
    rows = [
        [
            one.name,
            format_metric("step_seconds", one.seconds),
            f"{format_metric('step_seconds', one.seconds_min)}-{format_metric('step_seconds', one.seconds_max)}",
            format_metric("tokens_per_second", one.tokens_per_second),
            "" if one.name == OURS else format_metric("speed_ratio", one.ours_is_faster_by, unit=True),
            format_metric("mfu", one.mfu),
            _mib(one.memory_bytes),
            "" if one.name == OURS else format_metric("share", one.memory_share),
            one.note,
        ]
        for one in contestants(record.content)
    ]
    rows += [
        [name, f"left out: {reason}", *[""] * (len(head) - 2)] for name, reason in record.content["left_out"].items()
    ]
    return head, rows


def step_line(record: BenchRecord) -> str:
    """The step's size, and what the roof of MFU was measured to be."""
    content = record.content
    return (
        f"{content['tokens_per_step']:,} tokens a step, {_tflop(content['flop_per_step'])}, "
        f"{_compiled(content['shape'])}; {products_line(content['products'])}"
    )


def _compiled(shape: Mapping[str, Any]) -> str:
    if shape["compile"] == "off":
        return "not compiled"
    return f"compiled{_GRAPHS[shape['compile']] if shape.get('device') == 'cuda' else ''}"


def products_line(products: Sequence[Mapping[str, Any]]) -> str:
    """The rates of square products before and after the steps, those that would have taken too long named as such."""
    rates = [f"{p['size']}: {_rates(p.get('before_and_after', [p['flop_per_second']]))}" for p in products]
    return f"square products reach {_rate(best_product_flops(products), unit=True)} ({', '.join(rates)})"


def _rates(flops: Sequence[float | None]) -> str:
    seen = [_rate(rate) for rate in flops if rate is not None]
    return " and ".join(seen) or "too slow to try"


def sizes_table(record: BenchRecord) -> Table:
    """One row a shape, the stock shape among both series."""
    content = record.content
    best = best_product_flops(content["products"])
    head = ["d_model", "heads", "block size", "rows", "TFLOP a step", "s a step", "least-most", "tokens/s", "MFU"]
    rows = []
    for row in content["rows"]:
        shape, seconds = row["shape"], row["seconds"]
        median = statistics.median(seconds)
        rows.append(
            [
                str(shape["d_model"]),
                str(shape["n_head"]),
                str(shape["block_size"]),
                str(shape["batch_size"]),
                format_metric("step_tflop", row["flop_per_step"] / 1e12),
                format_metric("step_seconds", median),
                f"{format_metric('step_seconds', min(seconds))}-{format_metric('step_seconds', max(seconds))}",
                format_metric("tokens_per_second", shape["batch_size"] * shape["block_size"] / median),
                format_metric("mfu", row["flop_per_step"] / median / best),
            ]
        )
    return head, rows


def preparation_table(record: BenchRecord) -> Table:
    """One row a number of titles: medians over the repetitions, the most memory of any."""
    head = ["titles", "tokens", "vocabulary", "read, s", "train tokenizer, s", "encode, s", "together, s", "least-most"]
    rows = []
    for row in record.content["rows"]:
        together = [sum(run["seconds"].values()) for run in row["runs"]]
        rows.append(
            [
                f"{row['n_titles']:,}",
                f"{row['n_tokens']:,}",
                f"{row['vocab_size']:,}",
                *(format_metric("preparation_seconds", seconds) for seconds in preparation_medians(row).values()),
                "-".join(format_metric("preparation_seconds", pick(together)) for pick in (min, max)),
                _mib(max(run["peak_bytes"] for run in row["runs"])),
            ]
        )
    return [*head, "peak memory, MiB"], rows


def preparation_medians(row: Mapping[str, Any]) -> dict[str, float]:
    """Median seconds over the repetitions of each stage, and of all of them "together"."""
    of_runs = [run["seconds"] for run in row["runs"]]
    medians = {stage: statistics.median(seconds[stage] for seconds in of_runs) for stage in STAGES}
    return {**medians, "together": statistics.median(sum(seconds.values()) for seconds in of_runs)}


def _mib(n_bytes: float) -> str:
    return format_metric("memory_mib", n_bytes / 2**20)


def _rate(flops: float, *, unit: bool = False) -> str:
    return format_metric("product_tflops", flops / 1e12, unit=unit)


def _tflop(flop: float) -> str:
    return format_metric("step_tflop", flop / 1e12, unit=True)
