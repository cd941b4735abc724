"""docs/performance.md: its tables and figures from results/bench/ and from the curves in results/. No torch.

What the page promises to compare and nobody has measured is named there as not measured.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sevenepochs.questions.figures import performance as plot
from sevenepochs.report.bench_records import BenchRecord, read_records, unit
from sevenepochs.report.markers import update_page, wrapped
from sevenepochs.report.performance_tables import (
    Table,
    conditions,
    preparation_medians,
    preparation_table,
    products_line,
    sizes_table,
    step_line,
    step_table,
)
from sevenepochs.report.step_comparison import contestants
from sevenepochs.report.tables import table
from sevenepochs.report.time_to_loss import passings, time_to_loss_table
from sevenepochs.store.results import list_results

NOT_MEASURED = "not measured"
# what somebody who chooses a machine asks about
_EXPECTED: dict[str, Callable[[Mapping[str, Any]], bool]] = {
    "an H100": lambda machine: "H100" in str(machine.get("device_name")),
    "a CPU with AMX": lambda machine: machine.get("device") == "cpu" and unit(machine) == "AMX",
}


def sections(results_root: Path) -> dict[str, str]:
    """Markdown by marker name.

    Raises:
        UserError: a record or a result is damaged.
    """
    return {
        "step": _blocks(results_root, "step", step_table, step_line),
        "sizes": _blocks(results_root, "sizes", sizes_table, lambda r: products_line(r.content["products"])),
        "preparation": _blocks(results_root, "preparation", preparation_table, None),
        "time_to_loss": _time_to_loss(results_root),
        "missing": _missing(read_records(results_root, "step")),
    }


def update_performance(page: Path, results_root: Path, *, check: bool = False) -> bool:
    """Rewrite the generated parts of the page; with `check`, only say whether they are up to date.

    Raises:
        UserError: a marker is missing, or a record is damaged.
    """
    return update_page(page, sections(results_root), check=check)


def draw_performance(folder: Path, results_root: Path) -> list[Path]:
    """Draw one figure a record into a folder.

    Raises:
        UserError: matplotlib is not installed, or a record is damaged.
    """
    draw: dict[str, Callable[[BenchRecord], str]] = {
        "step": _step_figure,
        "sizes": _sizes_figure,
        "preparation": _preparation_figure,
    }
    files = []
    for benchmark, figure in draw.items():
        for record in read_records(results_root, benchmark):
            folder.mkdir(parents=True, exist_ok=True)
            files.append(folder / _figure_name(record))
            files[-1].write_text(figure(record), encoding="utf-8", newline="\n")
    return files


def _blocks(
    results_root: Path,
    benchmark: str,
    rows_of: Callable[[BenchRecord], Table],
    line: Callable[[BenchRecord], str] | None,
) -> str:
    """One block a machine: conditions, table, figure."""
    blocks = []
    for record in read_records(results_root, benchmark):
        text = wrapped(conditions(record) + (f". {line(record)}" if line else ""))
        figure = f"![{benchmark}, {record.machine_words}](figures/{_figure_name(record)})"
        blocks.append(f"{text}\n\n{table(*rows_of(record))}\n\n{figure}")
    return "\n\n".join(blocks) or f"{NOT_MEASURED.capitalize()} yet (`make bench ARGS={benchmark}`)."


def _time_to_loss(results_root: Path) -> str:
    found = passings(list_results(results_root))
    return (
        table(*time_to_loss_table(found))
        if found
        else f"{NOT_MEASURED.capitalize()} yet: no run to compare with stock."
    )


def _missing(records: list[BenchRecord]) -> str:
    rows = []
    for name, is_there in _EXPECTED.items():
        found = [record.machine_words for record in records if is_there(record.machine)]
        rows.append([name, ", ".join(found) or NOT_MEASURED])
    return table(["machine", "training step"], rows)


def _figure_name(record: BenchRecord) -> str:
    return f"performance_{record.file_name.removesuffix('.json')}.svg"


def _small_print(record: BenchRecord) -> str:
    how = [record.machine_words, f"{record.threads} threads", record.precision]
    return ", ".join(part for part in how if part)


def _step_figure(record: BenchRecord) -> str:
    tokens = record.content["tokens_per_step"]
    rows = [
        {
            "name": one.name,
            "tokens_per_second": one.tokens_per_second,
            "low": tokens / one.seconds_max,
            "high": tokens / one.seconds_min,
        }
        for one in contestants(record.content)
    ]
    return plot.steps(rows, _small_print(record))


def _sizes_figure(record: BenchRecord) -> str:
    rows = [
        {
            "d_model": row["shape"]["d_model"],
            "block_size": row["shape"]["block_size"],
            "seconds": statistics.median(row["seconds"]),
            "flop": row["flop_per_step"],
        }
        for row in record.content["rows"]
    ]
    return plot.sizes(rows, _small_print(record))


def _preparation_figure(record: BenchRecord) -> str:
    rows = [{"n_titles": row["n_titles"], "seconds": preparation_medians(row)} for row in record.content["rows"]]
    return plot.preparation(rows, _small_print(record))
