"""Training steps side by side: ours and what a user would pick instead.

    python benchmarks/bench.py                    all that are installed, stock shape
    python benchmarks/bench.py ours plain --rounds 5 --set n_layer=4

Each contestant lives in its own process (litgpt in its own environment) and they take turns, so that a change in the
machine's mood falls on all of them. Reported: the median over rounds and its spread. Needs Linux (peak memory).
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import torch
from rich.console import Console
from rich.table import Table
from shape import Shape

HERE = Path(__file__).resolve().parent
PEERS = ("ours", "plain", "huggingface", "litgpt")
LITGPT_PYTHON = HERE / ".venv-litgpt" / "bin" / "python"
WARM_STEPS = 3
console = Console()


class Contestant:
    """One worker process."""

    def __init__(self, peer: str, shape: Shape) -> None:
        self.peer, self.shape = peer, shape
        self.seconds: list[float] = []
        self.loss = float("nan")
        self.peak_bytes = 0
        python = str(LITGPT_PYTHON) if peer == "litgpt" else sys.executable
        environment = {**os.environ, "OMP_NUM_THREADS": str(shape.threads)}
        self._process = subprocess.Popen(
            [python, str(HERE / "worker.py"), peer, shape.to_json()],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE if not os.environ.get("BENCH_VERBOSE") else None,
            text=True,
            env=environment,
        )
        self.facts = self._answer()
        self.ask("warm", WARM_STEPS)

    def ask(self, command: str, count: int) -> dict[str, Any]:
        assert self._process.stdin
        self._process.stdin.write(f"{command} {count}\n")
        self._process.stdin.flush()
        return self._answer()

    def run(self, count: int) -> None:
        answer = self.ask("run", count)
        self.seconds.append(statistics.median(answer["seconds"]))
        self.loss = answer["loss"]
        self.peak_bytes = max(self.peak_bytes, answer["peak_bytes"])

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            error = self._process.stderr.read() if self._process.stderr else ""
            raise RuntimeError(f"{self.peer} died:\n{error[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peers", nargs="*", metavar="PEER", help=f"of {', '.join(PEERS)}; all by default")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--steps", type=int, default=2, help="a round, each")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="a field of the shape")
    parser.add_argument("--json", type=Path, help="also write the figures here")
    options = parser.parse_args()
    shape = _shape(options.set)
    unknown = set(options.peers) - set(PEERS)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(PEERS)}")
    peak_flops = product_rate(shape)
    contestants: list[Contestant] = []
    try:
        for peer in options.peers or PEERS:
            if reason := _missing(peer):
                console.print(f"{peer}: left out, {reason}")
                continue
            console.print(f"{peer}: starts and compiles ...")
            contestants.append(Contestant(peer, shape))
        for number in range(options.rounds):
            # the order turns, so that nobody always runs on a machine warmed by the same neighbour
            turn = number % len(contestants)
            for contestant in contestants[turn:] + contestants[:turn]:
                contestant.run(options.steps)
            console.print(f"round {number + 1}/{options.rounds}")
    except RuntimeError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    finally:
        for contestant in contestants:
            contestant.close()
    rows = [_row(contestant, contestants, peak_flops) for contestant in contestants]
    _print(shape, peak_flops, rows)
    if options.json:
        report = {"shape": asdict(shape), "product_flop_per_second": peak_flops, "rows": rows}
        options.json.write_text(json.dumps(report, indent=1) + "\n")
    return 0


def product_rate(shape: Shape) -> float:
    """FLOP/s of a square product, the roof that MFU is a share of: the best of ten, on this machine, now."""
    torch.set_num_threads(shape.threads)
    size = 2048 if shape.device == "cpu" else 8192
    kind = torch.bfloat16 if shape.precision == "bf16" else torch.float32
    a, b = (torch.randn(size, size, device=shape.device).to(kind) for _ in range(2))
    best = float("inf")
    for _ in range(10):
        started = time.perf_counter()
        (a @ b)[0, 0].item()
        best = min(best, time.perf_counter() - started)
    return 2 * size**3 / best


def _shape(settings: list[str]) -> Shape:
    shape = Shape(threads=len(os.sched_getaffinity(0)), device="cuda" if torch.cuda.is_available() else "cpu")
    for setting in settings:
        key, _, text = setting.partition("=")
        if key not in asdict(shape) or not text:
            raise SystemExit(f"error: --set {setting}: the shape has {', '.join(asdict(shape))}")
        shape = replace(shape, **{key: type(getattr(shape, key))(text)})
    return shape


def _missing(peer: str) -> str | None:
    if peer == "litgpt":
        return None if LITGPT_PYTHON.exists() else "its environment is not built (make bench builds it)"
    module = {"huggingface": "transformers"}.get(peer, "torch")
    return None if importlib.util.find_spec(module) else f"{module} is not installed"


def _row(one: Contestant, everybody: list[Contestant], peak_flops: float) -> dict[str, Any]:
    median = statistics.median(one.seconds)
    ours = next((c for c in everybody if c.peer == "ours"), None)
    return {
        "peer": one.peer,
        "note": one.facts["note"],
        "torch": one.facts["torch"],
        "seconds_median": median,
        "seconds_min": min(one.seconds),
        "seconds_max": max(one.seconds),
        "tokens_per_second": one.shape.tokens / median,
        # of paired rounds, so that what slows both cancels
        "ours_is_faster_by": statistics.median(
            theirs / our for theirs, our in zip(one.seconds, ours.seconds, strict=True)
        )
        if ours
        else None,
        "mfu": one.shape.flop / median / peak_flops,
        "peak_bytes_above_start": one.peak_bytes,
        "last_loss": one.loss,
    }


def _ratio(theirs: list[float], ours: list[float]) -> float:
    """Median over paired rounds, so that what slows both cancels."""
    return statistics.median(their / our for their, our in zip(theirs, ours, strict=True))


def _print(shape: Shape, peak_flops: float, rows: list[dict[str, Any]]) -> None:
    console.print(
        f"\n{shape.tokens:,} tokens a step, {shape.precision}, {shape.device}, {shape.threads} threads; "
        f"square products reach {peak_flops / 1e12:.2f} TFLOP/s, a step needs {shape.flop / 1e12:.2f} TFLOP"
    )
    table = Table(box=None, pad_edge=False)
    for column in ("", "s a step", "min-max", "tokens/s", "ours is faster by", "MFU", "peak memory", "torch", "note"):
        table.add_column(column, justify="left" if column in ("", "torch", "note") else "right")
    for row in rows:
        table.add_row(
            row["peer"],
            f"{row['seconds_median']:.3f}",
            f"{row['seconds_min']:.3f}-{row['seconds_max']:.3f}",
            f"{row['tokens_per_second']:,.0f}",
            f"{row['ours_is_faster_by']:.2f} x" if row["ours_is_faster_by"] else "",
            f"{row['mfu']:.0%}",
            f"{row['peak_bytes_above_start'] / 2**20:,.0f} MiB",
            row["torch"],
            row["note"],
        )
    console.print(table)


if __name__ == "__main__":
    sys.exit(main())
