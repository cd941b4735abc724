"""README, results/README.md and docs/ stay readable as text: wrapped lines, and values or phrases in tables; the README
is short, its links lead somewhere, and every command that is shown works or is marked as needing hours.

`python tests/test_docs.py` (part of `make docs`) runs each command of a `console` block and writes what it prints below
it. Such commands read results/ and the embedded titles alone. A line `...` stands for lines left out: the new output is
cut at the same places.
"""

import functools
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from sevenepochs.cli import main as command_line
from sevenepochs.data.corpus.sample import SampleCorpus
from sevenepochs.experiment import Experiment
from sevenepochs.store.run import layout
from sevenepochs.training.trainer import run_training

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, ROOT / "results" / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
MAX_COLUMNS, MAX_CELL, MAX_WORDS = 120, 160, 900


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_lines_are_wrapped_and_cells_are_short(page: Path) -> None:
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        if line.startswith("|"):
            assert max(len(cell.strip()) for cell in line.split("|")) <= MAX_CELL, f"{page}:{number}"
        else:
            assert len(line) <= MAX_COLUMNS, f"{page}:{number}"


def test_the_readme_is_read_in_minutes() -> None:
    text = re.sub(r"^\|.*$|<!--.*?-->", "", README.read_text(encoding="utf-8"), flags=re.M)
    assert len(text.split()) <= MAX_WORDS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings_that_exist(page: Path) -> None:
    prose = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", prose):
        if target.startswith(("http:", "https:")):
            continue
        file, _, heading = target.partition("#")
        there = page.parent / file if file else page
        assert there.exists(), f"{page}: {target}"
        if heading:
            assert heading in headings(there), f"{page}: {target}"


def headings(page: Path) -> set[str]:
    """The anchors that GitHub gives the headings of a page."""
    titles = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), flags=re.M)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


SHOWING = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
COLUMNS = "100"
ELLIPSIS = "..."
# What a command's comment says where it is not run: it takes long, or needs what a test machine may lack.
NOT_RUN = re.compile(r"\b(hours?|minutes|needs|426 MB)\b")
_PROGRAM = re.compile(r"(?:\.venv/bin/|torchrun .* -m )?sevenepochs ")


class Command(NamedTuple):
    """`words` follow `sevenepochs`; `comment` is what stands behind `#` or in brackets behind inline code."""

    page: Path
    words: list[str]
    comment: str


def shown(page: Path) -> Iterator[Command]:
    """Every command of a page, in fenced blocks and in inline code that names a verb with arguments."""
    text = page.read_text(encoding="utf-8")
    blocks = re.findall(r"^```(\w*)\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE)
    for kind, block in blocks:
        if kind == "python":
            continue
        for line in block.replace("\\\n", " ").splitlines():
            code, _, comment = line.removeprefix("$ ").partition(" #")
            if _PROGRAM.match(code):
                yield Command(page, shlex.split(_PROGRAM.sub("", code, count=1)), comment)
    prose = re.sub(r"^```.*?^```", "", text, flags=re.DOTALL | re.MULTILINE)
    for code, comment in re.findall(r"`(sevenepochs [a-z]+ [^`]+)`(?: \(([^)]*)\))?", prose):
        yield Command(page, shlex.split(" ".join(code.split()).removeprefix("sevenepochs ")), comment)


def sessions(page: Path) -> Iterator[tuple[str, list[str]]]:
    """The commands of a page's `console` blocks, without `sevenepochs`, and the lines below each."""
    text = page.read_text(encoding="utf-8")
    for block in re.findall(r"^```console\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE):
        for part in re.split(r"^\$ sevenepochs ", block, flags=re.MULTILINE)[1:]:
            line, *output = part.splitlines()
            yield line, output


def printed(line: str) -> list[str]:
    """What the command prints beside results/ and without runs, but for spaces at the ends of lines."""
    command = [sys.executable, "-m", "sevenepochs", *shlex.split(line)]
    environment = {**os.environ, "COLUMNS": COLUMNS, "PYTHONPATH": str(ROOT / "src"), "PYTHONIOENCODING": "utf-8"}
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "results").symlink_to(ROOT / "results")
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=True)
    return [text.rstrip() for text in done.stdout.strip("\n").splitlines()]


def cut(lines: list[str], output: list[str]) -> list[str]:
    """The lines, left out where `output` leaves them out: between the lines that stand around each `...`.

    A part of the output stands where its first words stand in the lines; numbers may have changed.
    """
    parts: list[list[str]] = [[]]
    for line in output:
        if line.strip() == ELLIPSIS:
            parts.append([])
        else:
            parts[-1].append(line)
    found: list[str] = []
    at = 0
    for number, part in enumerate(parts):
        if number:
            found.append(ELLIPSIS)
        if part:
            at = next((i for i in range(at, len(lines)) if _words(lines[i]) == _words(part[0])), len(lines))
            found += lines[at : at + len(part)]
            at += len(part)
    return found


def _words(line: str) -> list[str]:
    return re.findall(r"[^\W\d_]+", line)[:3]


def update() -> None:
    """Write every output anew."""
    for page in SHOWING:
        text = page.read_text(encoding="utf-8")
        for line, output in sessions(page):
            head, new = f"$ sevenepochs {line}", cut(printed(line), output)
            text = text.replace("\n".join([head, *output, ""]), "\n".join([head, *new, ""]))
        page.write_text(text, encoding="utf-8")


def runs_here(command: Command) -> bool:
    """Whether a test runs the command: not marked, nothing in capitals that stands for something of the reader's, and
    not on one of the two pages whose own tests follow them."""
    has_placeholder = any(word == "|" or re.search(r"\b[A-Z]{3,}\b", word) for word in command.words)
    is_followed = command.page.stem in ("add-a-question", "add-a-technique")
    return not (NOT_RUN.search(command.comment) or has_placeholder or is_followed)


COMMANDS = [command for page in SHOWING for command in shown(page)]
SESSIONS = dict(session for page in SHOWING for session in sessions(page))
LINES = list(dict.fromkeys(shlex.join(command.words) for command in COMMANDS))
RUNNABLE = [line for line in LINES if line not in SESSIONS
            and any(runs_here(command) for command in COMMANDS if shlex.join(command.words) == line)]  # fmt: skip


def no_op(function: Callable[..., None]) -> Callable[..., None]:
    @functools.wraps(function)
    def parsed_only(*args: object, **options: object) -> None:
        pass

    return parsed_only


@pytest.mark.parametrize("line", LINES)
def test_a_command_has_a_verb_and_options_that_exist(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = command_line._function
    monkeypatch.setattr(command_line, "_function", lambda verb: no_op(whole(verb)))
    assert command_line.main(shlex.split(line)) == 0


@pytest.fixture(scope="module")
def place(tiny: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as a reader has it: a finished run, results/, a file of titles, and the log of a run."""
    folder = tmp_path_factory.mktemp("reader")
    small = tiny.replace_all({"corpus": SampleCorpus(n_titles=1000), "training.epochs": 1})
    run = run_training(small, "demo_adamw", folder / "runs")
    shutil.copytree(ROOT / "results", folder / "results")
    (folder / "titles.csv").write_text("title\n" + "\n".join(f'"Show HN: thing {i}"' for i in range(200)))
    shutil.copy(run.path / layout.MAINRUN_LOG, folder / "mainrun.log")
    return folder


@pytest.mark.parametrize("line", RUNNABLE)
def test_a_command_that_is_not_marked_runs(line: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    assert command_line.main(shlex.split(line)) == 0


@pytest.mark.parametrize("line", SESSIONS)
def test_a_commands_output_is_what_it_prints(line: str) -> None:
    assert cut(printed(line), SESSIONS[line]) == SESSIONS[line], "`make docs` writes it anew"


def test_targets_of_make_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for page in SHOWING:
        for target in re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(encoding="utf-8"), flags=re.MULTILINE):
            assert f"\n{target}: " in makefile, f"{page.name}: make {target}"


if __name__ == "__main__":
    update()
