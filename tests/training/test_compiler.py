"""Compilation is tried before it is chosen: what does not work is said in one line, with what to install."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sevenepochs.errors import UserError
from sevenepochs.learning.settings import Training
from sevenepochs.store.run import list_runs
from sevenepochs.training import compiler, loop, machine
from sevenepochs.training.machine import Work
from sevenepochs.training.trainer import run_training

BROKEN = {
    "no Python headers": "python3.*dev|python.*-dev",
    "a blank in TMPDIR": "blank or a quote.*TMPDIR",
    "a quote in TMPDIR": "blank or a quote.*TMPDIR",
    "a blank in the cache's path": "blank or a quote.*TORCHINDUCTOR_CACHE_DIR",
    "a blank in the environment's path": "Python environment.*blank or a quote",
    "no compiler": "install g",
}
DEFAULT = ("no compiler", "a blank in TMPDIR")  # each case starts torch and its compiler
RESOLVE = """
from sevenepochs.errors import UserError
from sevenepochs.learning.settings import Training
from sevenepochs.training import machine
found = machine.resolve(Training(device="cpu"), machine.Work(1e16, 1, 8, 128))
print(found.compiled, found.why)
for compile in ("on", "graphs"):
    try:
        machine.resolve(Training(device="cpu", compile=compile), machine.Work(1e16, 1, 8, 128))
    except UserError as error:
        print(error)
from sevenepochs.cli.main import main
settings = ["--set", "training.compile=on", "--set", "training.device=cpu"]
print(main(["train", "demo_adamw", "--corpus", "sample:400", *settings, "--runs", "runs"]))
"""


def surroundings(case: str, folder: Path) -> dict[str, str]:
    """Environment variables, and what they point at."""
    tools = folder / "tools"
    tools.mkdir()
    (folder / "a folder").mkdir()
    (folder / "it's").mkdir()
    variables = {"TMPDIR": str(folder)}
    if case == "no compiler":
        variables["PATH"] = str(tools)
    if case == "no Python headers":
        script = tools / "g++"
        script.write_text(
            '#!/bin/sh\nfor word; do shift; case $word in -I*/include/python3*) ;; *) set -- "$@" "$word";; esac;'
            f' done\nexec {shlex.quote(str(_which("g++")))} "$@"\n'
        )
        script.chmod(0o755)
        variables |= {"PATH": f"{tools}{os.pathsep}{os.environ['PATH']}", "CPATH": ""}
    if case.endswith("TMPDIR"):
        variables["TMPDIR"] = str(folder / ("a folder" if "blank" in case else "it's"))
    if "cache" in case:
        variables["TORCHINDUCTOR_CACHE_DIR"] = str(folder / "a folder")
    if "environment" in case:
        packages = folder / "a folder" / "packages"
        packages.symlink_to(Path(torch.__file__).parents[1])
        variables["PYTHONPATH"] = f"{packages}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    return variables


def _which(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        pytest.skip(f"no {name} here; Debian: apt install g++ clang")
    return found


@pytest.mark.parametrize(
    "case", [case if case in DEFAULT else pytest.param(case, marks=pytest.mark.long) for case in BROKEN]
)
def test_a_compiler_that_does_not_work_is_found_out_before_step_1(case: str, tmp_path: Path) -> None:
    _which("g++")
    inherited = {key: value for key, value in os.environ.items() if key not in ("TORCHINDUCTOR_CACHE_DIR", "CXX")}
    done = subprocess.run(
        [sys.executable, "-c", RESOLVE],
        env=inherited | surroundings(case, tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    *lines, titles, code = done.stdout.splitlines()
    assert code == "2" and not (tmp_path / "runs").exists() and "Traceback" not in done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: training.compile = 'on'")
    assert len(lines) == 3 and titles.startswith("360 training"), done.stdout
    assert lines[0].startswith("False ") and lines[1].startswith("training.compile = 'on': ")
    assert all(re.search(BROKEN[case], line) for line in lines), lines
    assert str(tmp_path) not in lines[0]  # the run folder keeps it


def test_a_folder_of_programs_that_may_not_be_executed() -> None:
    text = "OSError: /x/y.main.so: failed to map segment from shared object.  The most common reason"
    assert "noexec" in compiler.fault_in_words(text, "cpu")


def test_what_nobody_foresaw_is_one_line_without_folders() -> None:
    text = "CppCompileError: C++ compile error\n\n/somewhere/x.cpp:1:2: error: unknown type\nmore"
    fault = compiler.fault_in_words(text, "cpu")
    assert "error: unknown type" in fault and "/home" not in fault and "\n" not in fault


def test_a_working_compiler_is_asked_once(monkeypatch) -> None:
    asked = []
    monkeypatch.setattr(machine, "compiler_fault", lambda device: asked.append(device))
    monkeypatch.setattr(machine.shutil, "which", lambda name: "a compiler")
    for compile, tried in (("off", 0), ("auto", 1), ("on", 2)):
        resolved = machine.resolve(Training(device="cpu", compile=compile), Work(1e16, 1, 8, 128))
        assert resolved.compiled is (compile != "off") and len(asked) == tried
    machine.resolve(Training(device="cpu"), Work(1e2, 1, 8, 128))  # too small to be compiled
    machine.resolve(Training(device="cpu"), Work(1e16, 1, 8, 128), tries_compiler=False)  # an estimate
    assert len(asked) == 2


def test_a_step_that_does_not_compile_fails_in_one_line(tiny, tmp_path: Path, monkeypatch) -> None:
    from torch._inductor.exc import InductorError

    def broken(*_, **__):
        raise InductorError(RuntimeError("C++ compile error"), None)

    monkeypatch.setattr(loop, "training_step", broken)
    with pytest.raises(UserError, match=r"step 1: .*compile.*training\.compile=off"):
        run_training(tiny, "x", tmp_path)
    assert list_runs(tmp_path)[0].state == "failed"


def test_every_compiled_function_goes_through_one_door() -> None:
    source = Path(compiler.__file__).parents[1]
    users = {str(path.relative_to(source)) for path in source.rglob("*.py") if "torch.compile(" in path.read_text()}
    assert users == {"model/hardware.py", "training/compiler.py"}
