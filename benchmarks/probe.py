"""Describe this machine, in a process of its own: `python probe.py SHAPE_JSON` prints one line of JSON.

It says what "auto" means here (the package's own rule: bf16 where the hardware is fast at it), and the rate of square
products in that precision with those threads: the best of them is the roof that MFU is a share of. Where torch cannot
compile, "auto" is not compiled for every contestant, and anything else ends the benchmark (exit code 2).
"""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, replace

import torch
from shape import LONG_RUN_STEPS, Shape

from sevenepochs.learning.settings import Training
from sevenepochs.training import machine
from sevenepochs.training.compiler import compiler_fault

PRODUCT_SIZES = (1024, 2048, 4096, 8192)
MAX_PRODUCT_SECONDS = 4.0  # a product that takes longer is left out: it would not be the fastest
_SPEND_SECONDS, _LEAST, _MOST = 2.0, 3, 50  # on each size, and how many products that may be


def main(shape_json: str) -> None:
    shape = Shape.from_json(shape_json)
    torch.set_num_threads(shape.threads)
    settings = Training(device=shape.device, precision=shape.precision)  # type: ignore[arg-type]
    work = machine.Work(shape.flop, LONG_RUN_STEPS, shape.batch_size, shape.block_size)
    resolved = machine.resolve(settings, work, tries_compiler=False)
    shape = replace(shape, device=resolved.device, precision=resolved.precision)
    fault = compiler_fault(shape.device) if shape.compile != "off" else None
    if fault and shape.compile != "auto":
        print(f"compile = {shape.compile!r}: {fault}, or leave it 'auto'", file=sys.stderr)
        raise SystemExit(2)
    if fault:
        shape = replace(shape, compile="off")
    rates = product_rates(shape.device, torch.bfloat16 if shape.precision == "bf16" else torch.float32)
    products = [{"size": size, "flop_per_second": rate} for size, rate in rates.items()]
    answer = {"shape": asdict(shape), "device_name": resolved.device_name, "torch": torch.__version__}
    print(json.dumps({**answer, "products": products, "not_compiled": fault}))


def product_rates(
    device: str,
    dtype: torch.dtype,
    sizes: tuple[int, ...] = PRODUCT_SIZES,
    max_seconds: float = MAX_PRODUCT_SECONDS,
) -> dict[int, float | None]:
    """FLOP/s of the fastest product of each size; None for sizes that would take longer than `max_seconds`."""
    rates: dict[int, float | None] = {}
    best_so_far = 0.0
    for size in sizes:
        flop = 2.0 * size**3
        if best_so_far and flop / best_so_far > max_seconds:
            rates[size] = None
            continue
        rates[size] = rate = flop / _fastest_seconds(size, device, dtype)
        best_so_far = max(best_so_far, rate)
    return rates


def _fastest_seconds(size: int, device: str, dtype: torch.dtype) -> float:
    a, b = (torch.randn(size, size, device=device).to(dtype) for _ in range(2))
    times: list[float] = []
    while len(times) < _LEAST or (sum(times) < _SPEND_SECONDS and len(times) < _MOST):
        started = time.perf_counter()
        (a @ b)[0, 0].item()  # reading one number waits for the device
        times.append(time.perf_counter() - started)
    return min(times)


if __name__ == "__main__":
    main(sys.argv[1])
