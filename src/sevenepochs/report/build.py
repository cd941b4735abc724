"""A folder of standard MyST sources becomes a static site: mystmd reads, our theme writes, the links are checked.

Nothing outside the two folders is touched, nothing outside this machine is asked (theme/offline.cjs sees to it), and
the site appears under its name only when it is whole: a failed build leaves the old one, or nothing.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sevenepochs.errors import UserError
from sevenepochs.report.links import check_site
from sevenepochs.report.node import find_mystmd, find_node
from sevenepochs.report.pdf import print_pdf
from sevenepochs.store.run.storage import disk_errors

THEME = Path(__file__).parent / "theme"
# A folder is replaced only if this file says that an earlier build made it.
MARKER = ".sevenepochs-site"
_CONFIG = "sevenepochs-offline.yml"
_TIMEOUT_SECONDS = 600
# Variables that would make two machines build two sites.
_UNSET = ("HOST", "PORT", "BASE_URL", "READTHEDOCS", "READTHEDOCS_CANONICAL_URL", "NODE_OPTIONS", "API_URL")
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def build_site(source_dir: Path, out_dir: Path, *, base_url: str | None = None, pdf: bool = False) -> None:
    """Build the MyST project in `source_dir` (myst.yml at its root) into `out_dir`, replacing an earlier build there.

    `base_url` is the address the site will be published at; links are relative all the same, so that it opens from
    disk, too. With `pdf`, report.pdf is printed into the site as well.

    Raises:
        UserError: no node or mystmd, a page that does not build (it is named), a fault the link checker finds, or an
            `out_dir` that holds something else.
    """
    if not (source_dir / "myst.yml").is_file():
        raise UserError(f"{source_dir} holds no myst.yml, so it is no MyST project")
    if base_url is not None and not re.match(r"https?://[^/\s]+", base_url):
        raise UserError(f"base url {base_url!r}: write it in full, e.g. https://someone.github.io/sevenepochs")
    node, mystmd = find_node(), find_mystmd()
    out_dir = out_dir.absolute()
    refuse_foreign(out_dir)
    with disk_errors(str(out_dir), "name another place with --out"), _scratch_beside(out_dir) as scratch:
        project = scratch / "project"
        shutil.copytree(source_dir, project, ignore=shutil.ignore_patterns("_build", ".git", ".ipynb_checkpoints"))
        _run_mystmd(node, mystmd, project, base_url, pdf)
        site = project / "_build" / "html"
        if pdf:
            print_pdf(site, site / "report.pdf")
        problems = check_site(site)
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            raise UserError(f"the site has a fault: {problems[0]}{more}")
        (site / MARKER).write_text("made by sevenepochs report; replaced by the next build\n", encoding="utf-8")
        _put_in_place(site, out_dir, scratch)


def refuse_foreign(out_dir: Path) -> None:
    """Raises UserError when `out_dir` is neither free, nor empty, nor an earlier build."""
    if not out_dir.exists() or (out_dir / MARKER).is_file():
        return
    if not out_dir.is_dir() or any(out_dir.iterdir()):
        raise UserError(f"{out_dir} exists and is no earlier report; name another place with --out")


def _run_mystmd(node: Path, mystmd: Path, project: Path, base_url: str | None, pdf: bool) -> None:
    # A settings file of ours on top of the project's, which stays as it is; JSON, because YAML reads that, too.
    settings = {
        "version": 1,
        "extends": "myst.yml",
        "site": {"template": str(THEME)},
        "project": {"plugins": [str(THEME / "keep_alt.mjs")]},
    }
    (project / _CONFIG).write_text(json.dumps(settings), encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if key not in _UNSET}
    environment |= {"MYST_LANG": "PYTHON", "NO_COLOR": "1", "SEVENEPOCHS_PYTHON": sys.executable}
    environment |= {"SEVENEPOCHS_BASE_URL": base_url or "", "SEVENEPOCHS_PDF": "report.pdf" if pdf else ""}
    command = [node, "--require", THEME / "offline.cjs", mystmd, "--config", _CONFIG, "build", "--html", "--strict"]
    try:
        done = subprocess.run(
            [str(part) for part in command],
            cwd=project,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(f"mystmd did not finish within {_TIMEOUT_SECONDS} s") from error
    if done.returncode != 0 or not (project / "_build" / "html" / "index.html").is_file():
        raise UserError(f"the site does not build: {_reason(done.stdout)}")


def _reason(output: str) -> str:
    """The line of mystmd's output that says what is wrong: our theme's, or the first error with its page."""
    lines = [_ANSI.sub("", line).strip() for line in output.splitlines()]
    for line in lines:
        if "theme: " in line:
            return line.partition("theme: ")[2]
    errors = [line.lstrip("⛔\ufe0f ") for line in lines if line.startswith("⛔") and "stopping build" not in line]
    if errors:
        return errors[0] + (f" (and {len(errors) - 1} more)" if len(errors) > 1 else "")
    rest = [line for line in lines if line and not line.startswith(("at ", "📖", "📚"))]
    return rest[-1] if rest else "mystmd stopped without a word"


@contextmanager
def _scratch_beside(out_dir: Path) -> Iterator[Path]:
    """A folder on the same disk as the result, so that the last step can be a rename."""
    out_dir.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(prefix=f".{out_dir.name}-", dir=out_dir.parent))
    try:
        yield scratch
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _put_in_place(site: Path, out_dir: Path, scratch: Path) -> None:
    if out_dir.exists():
        out_dir.rename(scratch / "earlier")
    site.rename(out_dir)
