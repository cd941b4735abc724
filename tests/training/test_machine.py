import dataclasses

import pytest
import torch
import torch._functorch.config as functorch_config

from sevenepochs.errors import UserError
from sevenepochs.learning.objective import CrossEntropy
from sevenepochs.learning.settings import Training
from sevenepochs.model.dropout import reseed
from sevenepochs.model.hardware import bf16_unit
from sevenepochs.recipes.story import baseline
from sevenepochs.training import machine
from sevenepochs.training.machine import Work


def test_a_device_that_is_not_there(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(UserError, match=r"training\.device = 'cuda': .*cpu"):
        machine.resolve(Training(device="cuda"), Work(1e15, 1, 8, 128))


@pytest.mark.parametrize(("has_bf16", "precision"), [(True, "bf16"), (False, "fp32")])
def test_precision_follows_the_hardware_and_says_so(monkeypatch, has_bf16, precision):
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: False, raising=False)
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: has_bf16, raising=False)
    resolved = machine.resolve(Training(device="cpu"), Work(1e10, 1, 8, 128))
    assert resolved.precision == precision
    assert ("AVX512-BF16" in resolved.why) is has_bf16
    assert machine.resolve(Training(device="cpu", precision="fp32"), Work(1e10, 1, 8, 128)).precision == "fp32"


@pytest.mark.parametrize(
    ("held_to", "unit"),
    [(None, "AMX"), ("AVX512_CORE_BF16", "AVX512-BF16"), ("avx2", None), ("AVX512_CORE", None), ("ALL", "AMX")],
)
def test_a_unit_that_onednn_is_held_from_is_none(monkeypatch, held_to, unit):
    for probe in ("_is_amx_tile_supported", "_is_avx512_bf16_supported"):
        monkeypatch.setattr(torch.cpu, probe, lambda: True, raising=False)
    monkeypatch.delenv("ONEDNN_MAX_CPU_ISA", raising=False)
    if held_to:
        monkeypatch.setenv("ONEDNN_MAX_CPU_ISA", held_to)
    assert bf16_unit(torch.device("cpu")) == unit


def test_compilation_where_it_pays(monkeypatch):
    monkeypatch.setattr(machine.shutil, "which", lambda name: "a compiler")
    assert not machine.resolve(Training(device="cpu"), Work(1e12, 1, 8, 128)).compiled
    assert machine.resolve(Training(device="cpu"), Work(1e16, 1, 8, 128)).compiled
    assert not machine.resolve(Training(device="cpu", compile="off"), Work(1e16, 1, 8, 128)).compiled
    assert machine.resolve(Training(device="cpu", compile="on"), Work(1e2, 1, 8, 128)).compiled
    graphs = machine.resolve(Training(device="cpu", compile="graphs"), Work(1e2, 1, 8, 128))
    assert graphs.compiled and not graphs.graphs  # there are none on a CPU
    monkeypatch.setattr(machine.shutil, "which", lambda name: None)
    without = machine.resolve(Training(device="cpu"), Work(1e16, 1, 8, 128))
    assert not without.compiled and "no C++ compiler" in without.why


def test_a_gpu_that_trains_alone_gets_graphs(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "a GPU")
    monkeypatch.setattr(machine, "bf16_unit", lambda device: "bf16 units")
    monkeypatch.setattr(machine, "compiler_fault", lambda device: None)
    monkeypatch.setattr(machine.shutil, "which", lambda name: "a compiler")

    def has_graphs(compile, flop=1e16, processes=1):
        return machine.resolve(Training(device="cuda", compile=compile), Work(flop, 1, 8, 128, processes)).graphs

    assert has_graphs("auto") and not has_graphs("auto", flop=1e10) and not has_graphs("auto", processes=2)
    assert has_graphs("graphs", processes=2) and not has_graphs("on") and not has_graphs("off")
    in_parts = Training(device="cuda", micro_batches=2)
    assert not machine.resolve(in_parts, Work(1e16, 1, 4, 8192)).graphs
    with pytest.raises(UserError, match=r"'graphs' .*training.micro_batches > 1"):
        machine.resolve(dataclasses.replace(in_parts, compile="graphs"), Work(1e16, 1, 4, 8192))
    assert machine.resolve(Training(device="cuda"), Work(1e16, 1, 64, 128)).micro_batches == 1


@pytest.mark.parametrize(
    ("step_flop", "rows", "block_size", "asked", "expected"),
    [
        (1.37e12, 64, 128, None, 4),  # stock
        (1.7e11, 64, 128, None, 1),  # a quarter of its width
        (1e13, 16, 256, None, 1),
        (1e13, 16, 1024, None, 8),
        (1e13, 7, 2000, None, 1),  # seven parts of 2,000 would be too small
        (1e13, 7, 2048, None, 7),
        (1e10, 8, 16, 2, 2),
        (1.37e12, 64, 128, 1, 1),
    ],
)
def test_large_steps_on_a_cpu_are_cut(step_flop, rows, block_size, asked, expected):
    settings = Training(device="cpu", micro_batches=asked)
    resolved = machine.resolve(settings, Work(step_flop, 1, rows, block_size))
    assert resolved.micro_batches == expected
    assert (f"{expected} micro-batches" in resolved.why) == (expected > 1)


def test_rows_that_cannot_be_cut_are_refused():
    with pytest.raises(UserError, match=r"training.micro_batches = 3 .* 64; .* 1, 2, 4, 8, 16"):
        machine.resolve(Training(device="cpu", micro_batches=3), Work(1e10, 1, 64, 128))


def test_the_choices_are_plain_values():
    facts = machine.resolve(Training(device="cpu"), Work(1e10, 1, 8, 128)).to_dict()
    expected = {"device", "device_name", "precision", "compiled", "threads", "why", "processes", "graphs", "libraries",
                "micro_batches"}  # fmt: skip
    assert facts.keys() == expected
    assert all(isinstance(value, (str, bool, int, type(None))) for value in facts.values())


def test_evaluations_are_compiled_on_a_cpu_only(monkeypatch):
    monkeypatch.setattr(machine, "compiler_fault", lambda device: None)
    on_a_cpu = machine.resolve(Training(device="cpu", compile="on"), Work(1e16, 1, 8, 128))
    assert on_a_cpu.compiles_evaluations
    assert not dataclasses.replace(on_a_cpu, device="cuda").compiles_evaluations
    assert not dataclasses.replace(on_a_cpu, compiled=False).compiles_evaluations


def test_fp32_on_a_gpu_is_fp32(monkeypatch):
    on_a_gpu = dataclasses.replace(machine.resolve(Training(device="cpu"), Work(1e10, 1, 8, 128)), device="cuda")
    was = torch.get_float32_matmul_precision(), torch.are_deterministic_algorithms_enabled()
    try:
        torch.set_float32_matmul_precision("high")
        machine.prepare(on_a_gpu)
        assert torch.get_float32_matmul_precision() == "highest"
        monkeypatch.setenv("TORCH_ALLOW_TF32_CUBLAS_OVERRIDE", "1")
        with pytest.raises(UserError, match="unset it"):
            machine.prepare(on_a_gpu)
    finally:
        torch.set_float32_matmul_precision(was[0])
        torch.use_deterministic_algorithms(was[1])


def test_what_a_cpu_run_asks_of_the_process_is_taken_back_for_a_gpu(monkeypatch):
    was = torch.are_deterministic_algorithms_enabled()
    resolved = machine.resolve(Training(device="cpu"), Work(1e10, 1, 8, 128))
    try:
        machine.prepare(resolved)
        assert torch.are_deterministic_algorithms_enabled()
        machine.prepare(dataclasses.replace(resolved, device="cuda"))
        assert not torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(was)


def test_a_cpu_step_keeps_little_for_its_backward_pass():
    model = baseline().replace_all({"model.n_layer": 1, "model.d_model": 64, "model.n_head": 2}).build_model(100)
    x_BT = torch.arange(8 * 32).view(8, 32) % 100
    resolved = machine.resolve(Training(device="cpu"), Work(1e10, 1, 8, 128))

    def kept_bytes_and_gradients(device):
        machine.prepare(dataclasses.replace(resolved, device=device))
        kept = {}

        def keep(tensor):
            kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
            return tensor

        loss_of = torch.compile(lambda: CrossEntropy().loss(model, x_BT, x_BT), backend="aot_eager_decomp_partition")
        model.zero_grad()
        reseed(model, 1, 1)
        with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
            loss = loss_of()
        loss.backward()
        return sum(kept.values()), [parameter.grad.clone() for parameter in model.parameters()]

    was, was_recomputing = torch.are_deterministic_algorithms_enabled(), functorch_config.aggressive_recomputation
    try:
        usual_bytes, usual = kept_bytes_and_gradients("cuda")
        fewer_bytes, same = kept_bytes_and_gradients("cpu")
    finally:
        torch.use_deterministic_algorithms(was)
        functorch_config.aggressive_recomputation = was_recomputing
    assert fewer_bytes < 0.8 * usual_bytes
    for one, other in zip(usual, same, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-7)
