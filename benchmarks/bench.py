"""Speed and memory. Not a test: timings depend on the machine, so nothing here passes or fails.

    python benchmarks/bench.py                         all of them, at the stock shape, into results/bench/
    python benchmarks/bench.py preparation             one of them: step, sizes, preparation
    python benchmarks/bench.py step --peers ours,plain --set n_layer=4

Results go to results/bench/ only when shape, peers, rounds and titles are the defaults; otherwise name a folder
(--results). Needs Linux.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from preparation import N_TITLES, preparation
from record import record_facts
from rich.console import Console
from rich.table import Table
from shape import Shape
from sizes import over_sizes, series
from step import PEERS, VARIANTS, side_by_side

from sevenepochs.errors import UserError
from sevenepochs.report import performance as tables
from sevenepochs.report.bench_records import BenchRecord

HERE = Path(__file__).resolve().parent
RESULTS = HERE.parent / "results"
BENCHMARKS = ("step", "sizes", "preparation")
console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)


def main(arguments: list[str]) -> int:
    options = parse(arguments)
    try:
        shape = Shape().with_settings(options.set)
        known = record_facts(HERE, arguments, shape.threads)  # before anything is written
        probed = _probe(shape) if {"step", "sizes"} & set(options.benchmarks) else {}
        for name in options.benchmarks:
            console.rule(name)
            record = _run(name, options, known, shape, probed)
            _show(record)
            if options.results:
                console.print(f"written: {os.path.relpath(record.write(options.results))}")
    except UserError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except (RuntimeError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    return 0


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line; `results` is None where nothing is to be written."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "benchmarks", nargs="*", metavar="BENCHMARK", help=f"of {', '.join(BENCHMARKS)}; all by default"
    )
    parser.add_argument("--peers", help=f"for step, with commas: {','.join(PEERS)} by default; {','.join(VARIANTS)}")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a field of the step's shape")
    parser.add_argument("--rounds", type=int, help="5 for step, 3 for the others")
    parser.add_argument("--round-seconds", type=float, default=4.0, help="a round is the steps that fit, at least one")
    parser.add_argument("--titles", help=f"for preparation, with commas: {','.join(map(str, N_TITLES))} by default")
    parser.add_argument("--results", type=Path, metavar="DIR", help="write into DIR/bench/")
    options = parser.parse_args(arguments)
    unchanged = not (options.peers or options.set or options.rounds or options.titles)
    options.results = options.results or (RESULTS if unchanged else None)
    options.benchmarks = options.benchmarks or list(BENCHMARKS)
    options.peers = options.peers.split(",") if options.peers else list(PEERS)
    options.titles = [int(n) for n in options.titles.split(",")] if options.titles else list(N_TITLES)
    for kind, given, known in (
        ("benchmark", options.benchmarks, BENCHMARKS),
        ("peer", options.peers, PEERS + VARIANTS),
    ):
        if unknown := sorted(set(given) - set(known)):
            parser.error(f"unknown {kind}: {', '.join(unknown)}; there are {', '.join(known)}")
    return options


def _run(
    name: str, options: argparse.Namespace, known: dict[str, Any], shape: Shape, probed: dict[str, Any]
) -> BenchRecord:
    if name == "preparation":
        content = preparation(options.titles, options.rounds or 3, shape.threads, console.print)
        return BenchRecord(benchmark=name, **known, content=content)
    shape = Shape(**probed["shape"])
    seconds = options.round_seconds
    if name == "step":
        content = side_by_side(shape, options.peers, options.rounds or 5, seconds, console.print)
    else:
        content = over_sizes(series(shape), options.rounds or 3, seconds, console.print)
    machine = {**known["machine"], "device": shape.device, "device_name": probed["device_name"]}
    known_better = {"machine": machine, "precision": shape.precision, "torch": probed["torch"]}
    products = before_and_after(probed["products"], _probe(shape)["products"])
    content = {"shape": asdict(shape), "products": products, **content}
    return BenchRecord(benchmark=name, **{**known, **known_better}, content=content)


def before_and_after(before: list[dict[str, Any]], after: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The better rate of each size, with both beside it: machines drift by a third during a benchmark, and a roof that
    was measured at a slow moment gives an MFU above 100 %."""
    products = []
    for one, other in zip(before, after, strict=True):
        seen = [one["flop_per_second"], other["flop_per_second"]]
        best = max((rate for rate in seen if rate is not None), default=None)
        products.append({"size": one["size"], "flop_per_second": best, "before_and_after": seen})
    return products


def _probe(shape: Shape) -> dict[str, Any]:
    console.print("square products ...")
    done = subprocess.run(
        [sys.executable, str(HERE / "probe.py"), shape.to_json()],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": str(shape.threads)},
    )
    if done.returncode == 2:
        raise UserError(done.stderr.strip().splitlines()[-1])
    if done.returncode:
        raise RuntimeError(done.stderr.strip()[-2000:])
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if answer["not_compiled"]:
        console.print(f"nobody is compiled: {answer['not_compiled']}", markup=False, soft_wrap=True)
    return answer


def _show(record: BenchRecord) -> None:
    of = {"step": tables.step_table, "sizes": tables.sizes_table, "preparation": tables.preparation_table}
    head, rows = of[record.benchmark](record)
    shown = Table(box=None, pad_edge=False)
    for column in head:
        shown.add_column(column, justify="left" if column in ("", "note") else "right")
    for row in rows:
        shown.add_row(*row)
    console.print(f"\n{tables.conditions(record)}", markup=False)
    if record.benchmark == "step":
        console.print(tables.step_line(record))
    console.print(shown)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
