"""libgomp's waiting threads spin for a bounded time, unless the user says otherwise."""

import os
import subprocess
import sys

import pytest

NAMES = ("GOMP_SPINCOUNT", "OMP_WAIT_POLICY")


@pytest.mark.parametrize(
    ("set_by_user", "spins"),
    [({}, "4000"), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, None)],
    ids=["nothing set", "a count of the user's", "a policy of the user's"],
)
@pytest.mark.parametrize(
    "program", ["import sevenepochs; sevenepochs.load_recipe('demo_adamw')", "from sevenepochs.cli.main import main"]
)
def test_waiting_threads_spin_for_a_bounded_time(program: str, set_by_user: dict[str, str], spins: str | None) -> None:
    code = f"{program}; import os; print(os.environ.get('GOMP_SPINCOUNT'), os.environ.get('OMP_WAIT_POLICY'))"
    others = {key: value for key, value in os.environ.items() if key not in NAMES}
    done = subprocess.run([sys.executable, "-c", code], env=others | set_by_user, capture_output=True, text=True)
    assert done.stdout.split() == [str(spins), str(set_by_user.get("OMP_WAIT_POLICY"))], done.stderr


def test_it_is_set_before_torch_loads_libgomp() -> None:
    others = {key: value for key, value in os.environ.items() if key not in NAMES}
    done = subprocess.run(
        [sys.executable, "-c", "import sevenepochs.ask.model"],  # which imports torch
        env=others | {"OMP_DISPLAY_ENV": "VERBOSE"},  # libgomp then prints what it has read
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    said = [line for line in done.stderr.splitlines() if "GOMP_SPINCOUNT" in line]
    if not said:
        pytest.skip("torch does not use libgomp here")
    assert all("4000" in line for line in said)
