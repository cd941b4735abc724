"""CI is honest: a skipped browser test is told from others, and every extra can be installed under constraints.txt."""

import re
import tomllib
from pathlib import Path

from packaging.requirements import Requirement
from packaging.version import Version

from tests.conftest import browser_tests

ROOT = Path(__file__).parents[1]


def test_a_skipped_browser_test_is_told_from_others() -> None:
    page, site, pdf = "tests/serve/test_page.py", "tests/report/site/test_browser.py", "tests/report/site/test_pdf.py"
    others = ["tests/serve/test_server.py::test_x", "tests/training/test_trainer.py::test_y[1]"]
    assert browser_tests([*others, page, f"{site}::a[b::c]", f"{pdf}::d"], ROOT) == [
        page,
        f"{site}::a[b::c]",
        f"{pdf}::d",
    ]


def test_every_requirement_has_a_pin_that_it_accepts() -> None:
    """Offline; what the requirements need themselves is resolved by .ci/extras."""
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if not line.startswith("#"))
    pins = {re.sub("[-_.]+", "-", name).lower(): Version(version) for name, version in pins.items()}
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    for extra in [project["dependencies"], *project["optional-dependencies"].values()]:
        for wanted in map(Requirement, extra):
            name = re.sub("[-_.]+", "-", wanted.name).lower()
            assert name == "sevenepochs" or (name in pins and pins[name] in wanted.specifier), str(wanted)
