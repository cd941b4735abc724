"""libgomp's waiting threads spin for a bounded time, unless the user says otherwise."""

import importlib
import os
import subprocess
import sys

import pytest

import sevenepochs

NAMES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


@pytest.mark.parametrize(
    ("set_by_user", "spins"),
    [({}, "4000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, None)],
    ids=["nothing set", "a count of the user's", "a policy of the user's"],
)
def test_importing_the_package_bounds_the_time_that_threads_spin(
    set_by_user: dict[str, str], spins: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in NAMES:
        monkeypatch.delenv(name, raising=False)
    for name, value in set_by_user.items():
        monkeypatch.setenv(name, value)
    importlib.reload(sevenepochs)
    assert [os.environ.get(name) for name in NAMES] == [spins, set_by_user.get("OMP_WAIT_POLICY")]


@pytest.mark.parametrize("program", ["import sevenepochs", "from sevenepochs.cli.main import main"])
def test_it_is_set_before_torch_loads_libgomp(program: str) -> None:
    others = {key: value for key, value in os.environ.items() if key not in NAMES}
    done = subprocess.run(
        [sys.executable, "-c", f"{program}\nimport torch"],
        env=others | {"OMP_DISPLAY_ENV": "VERBOSE"},  # libgomp then prints what it has read
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if "GOMP_SPINCOUNT" in line]
    if not said:
        pytest.skip("torch does not use libgomp here")
    assert all("4000" in line for line in said)
