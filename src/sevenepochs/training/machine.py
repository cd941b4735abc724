"""Choices for "auto" on this machine: device, precision, compilation, micro-batches; and settings of the process."""

from __future__ import annotations

import ctypes
import os
import shutil
import sys
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch._functorch.config as functorch_config

from sevenepochs.errors import UserError
from sevenepochs.learning.settings import Training
from sevenepochs.model.hardware import bf16_unit
from sevenepochs.training.compiler import compiler_fault

# Compiling takes one or two minutes on two cores; below this much arithmetic an eager run ends sooner.
_COMPILE_PAYS_FLOP = 1e14
# Each part adds up all gradients once more. Compiled, on 2 cores with AVX512-BF16, a stock step in four parts of 2,048
# tokens takes 1 to 3 % longer and 0.87 GB instead of 1.4; in sixteen parts of 512, 17 % longer and 0.13 GB less. The
# step of `laptop_letters`, half as many tokens, takes 2 % longer in two parts and saves 0.3 of 1.4 GB: not worth it. In
# four parts, the stock step of width 256 (0.45 TFLOP) takes 2 % longer, of width 128 (0.17 TFLOP) 19 %.
_CUT_FROM_TOKENS = 8192
_CUT_FROM_FLOP = 3e11
_TOKENS_OF_A_MICRO_BATCH = 2048
_TF32_OVERRIDE = "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE"  # some GPU images set it


@dataclass(frozen=True)
class Work:
    """A run's work.

    Attributes:
        step_flop: floating-point operations of one step, all processes together.
        rows: rows of one step, which the processes share equally.
        block_size: tokens per row.
    """

    step_flop: float
    n_steps: int
    rows: int
    block_size: int
    processes: int = 1


@dataclass(frozen=True)
class Machine:
    """Resolved choices, with the reasons in `why`."""

    device: str
    device_name: str | None
    precision: str
    compiled: bool
    threads: int
    why: str
    processes: int = 1
    graphs: bool = False  # CUDA graphs
    libraries: str | None = None  # CUDA's and cuDNN's versions
    micro_batches: int = 1

    @property
    def compiles_evaluations(self) -> bool:
        """False on a GPU: all 22 of a stock run take 5.5 s uncompiled, about as long as compiling one shape."""
        return self.compiled and self.device != "cuda"

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def resolve(settings: Training, work: Work, *, tries_compiler: bool = True) -> Machine:
    """Choose what the settings leave to "auto".

    Args:
        tries_compiler: compile a tiny kernel (seconds) before choosing compilation; False, for an estimate, only looks
            for a compiler.

    Raises:
        UserError: the device does not exist, the rows cannot be cut as asked, or compilation was asked for and fails.
    """
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    device: str = settings.device
    if device == "auto":
        device = next(name for name in ("cuda", "mps", "cpu") if available[name])
    elif not available[device]:
        present = ", ".join(name for name, there in available.items() if there)
        raise UserError(f"training.device = {device!r}: torch sees no such device here (there is: {present})")
    fast_bf16, why_precision = _bf16(device)
    precision = settings.precision if settings.precision != "auto" else ("bf16" if fast_bf16 else "fp32")
    compiled, why_compiled = _compiled(settings, device, work.step_flop * work.n_steps, tries_compiler)
    micro_batches = _micro_batches(settings, device, work)
    graphs = _graphs(settings, device, compiled, work.processes, micro_batches)
    name = torch.cuda.get_device_name() if device == "cuda" else None
    return Machine(
        device,
        name,
        precision,
        compiled,
        torch.get_num_threads(),
        f"{why_precision}; {why_compiled}{', replayed as CUDA graphs' if graphs else ''}"
        f"{f'; {micro_batches} micro-batches' if micro_batches > 1 else ''}",
        work.processes,
        graphs=graphs,
        libraries=f"CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}" if device == "cuda" else None,
        micro_batches=micro_batches,
    )


def prepare(machine: Machine) -> None:
    """Set up the process for the run: an empty compiler, true fp32, and on a CPU bit-identical reruns and less memory
    traffic.

    Raises:
        UserError: the environment asks for TF32, which rounds fp32 to 10 bits.
    """
    if machine.device == "cuda" and os.environ.get(_TF32_OVERRIDE, "0") != "0":
        raise UserError(f"{_TF32_OVERRIDE} is set, so fp32 products would be TF32; unset it (results rank by fp32)")
    torch.set_float32_matmul_precision("highest")
    # torch compiles one function for 8 kinds of models and shapes; in a process that trains more, the others would run
    # uncompiled, with a warning
    torch.compiler.reset()
    # set either way: a process may train on a CPU first, and cuBLAS needs more settings to be deterministic
    torch.use_deterministic_algorithms(machine.device == "cpu")
    # Storing an element costs more than its arithmetic, so the backward pass computes again what is neither a product
    # nor a reduction: on 2 cores with AVX512-BF16, steps of 4.4 s and 2.1 GB became 4.0 s and 1.4 GB. Torch's own
    # choice is made for GPUs.
    functorch_config.aggressive_recomputation = machine.device == "cpu"
    if machine.device == "cpu":
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # set on its class
        _keep_freed_pages()


def _bf16(device: str) -> tuple[bool, str]:
    if device == "mps":
        return False, "bf16 on mps is not measured"
    unit, kind = bf16_unit(torch.device(device)), "GPU" if device == "cuda" else "CPU"
    return unit is not None, f"this {kind} has {unit}, fast at bf16" if unit else f"this {kind} has no fast bf16"


def _compiled(settings: Training, device: str, training_flop: float, tries_compiler: bool) -> tuple[bool, str]:
    if settings.compile != "auto":
        is_asked = settings.compile != "off"
        if is_asked and tries_compiler and (fault := compiler_fault(device)):
            raise UserError(f"training.compile = {settings.compile!r}: {fault}, or leave it 'auto'")
        return is_asked, f"compilation {settings.compile} as asked"
    if device == "mps":
        return False, "not compiled on mps"
    if training_flop < _COMPILE_PAYS_FLOP:
        return False, "too small a run for compilation to pay"
    # on a CPU the kernels are C++, on a GPU their launchers are C
    names = ("g++", "clang++", "c++") if device == "cpu" else (os.environ.get("CC", "cc"), "gcc", "clang")
    if not any(shutil.which(name) for name in names):
        return False, "no C++ compiler found, so not compiled (several times slower; install g++ or clang)"
    if tries_compiler and (fault := compiler_fault(device)):
        return False, f"not compiled (several times slower): {fault}"
    return True, f"compiled (the first step takes {'a minute or two' if device == 'cpu' else 'half a minute'})"


def _micro_batches(settings: Training, device: str, work: Work) -> int:
    rows = work.rows // work.processes
    if settings.micro_batches is not None:
        if rows % settings.micro_batches:
            choices = ", ".join(str(n) for n in range(1, rows + 1) if rows % n == 0)
            raise UserError(
                f"training.micro_batches = {settings.micro_batches} does not divide the rows that a process has of a "
                f"batch, {rows}; choose one of {choices}"
            )
        return settings.micro_batches
    is_small = rows * work.block_size < _CUT_FROM_TOKENS or work.step_flop / work.processes < _CUT_FROM_FLOP
    if device != "cpu" or is_small:
        return 1
    # the smallest part that is large enough, of those that cut the rows evenly
    large_enough = (n for n in range(1, rows) if rows % n == 0 and n * work.block_size >= _TOKENS_OF_A_MICRO_BATCH)
    return rows // next(large_enough, rows)


def _graphs(settings: Training, device: str, compiled: bool, processes: int, micro_batches: int) -> bool:
    """Whether compiled code is recorded once as CUDA graphs and replayed: on an H100, a stock step of 13.3 ms became
    7.2 (docs/log), because launching kernels takes longer than running them. With several processes only if asked, as
    nobody has tried. Never with micro-batches, which would overwrite each other's gradients.
    """
    if device != "cuda" or not compiled:
        return False
    if settings.compile == "graphs" and micro_batches > 1:
        raise UserError("training.compile = 'graphs' and training.micro_batches > 1: choose one of them")
    return settings.compile == "graphs" or (settings.compile == "auto" and processes == micro_batches == 1)


def _keep_freed_pages() -> None:
    """Tell glibc to reuse freed blocks instead of returning them to the system, whose kernel zeroes every fresh page.
    On 2 cores without AMX a stock step of 5.5 s became 4.8 s."""
    if not sys.platform.startswith("linux"):
        return
    try:
        mallopt = ctypes.CDLL("libc.so.6").mallopt
    except (OSError, AttributeError):
        return  # another C library: slower, not wrong
    m_trim_threshold, m_mmap_max, m_arena_max = -1, -4, -8
    mallopt(m_mmap_max, 0)
    mallopt(m_trim_threshold, 2**31 - 1)
    mallopt(m_arena_max, 1)  # one arena, so that what one thread frees another can take
