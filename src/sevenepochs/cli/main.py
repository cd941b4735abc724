"""`sevenepochs VERB ...`: parse, run, and turn the user's mistakes into one line and exit code 2."""

from __future__ import annotations

import ast
import contextlib
import errno
import functools
import importlib
import io
import os
import re
import shlex
import shutil
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sevenepochs import __version__
from sevenepochs.cli.program import is_first_process, prepare, program
from sevenepochs.errors import UserError, command, nearest

_DESCRIPTION = """usage: sevenepochs VERB ...   (sevenepochs VERB --help: its options)

How low can a small GPT's validation loss go on Hacker News headlines in seven epochs, and why?"""
GROUPS = {
    "train": ("demo", "train", "resume", "show", "list", "runs"),
    "look": ("predict", "sample", "inside", "analyze", "data", "serve"),
    "judge": ("compare", "noise", "ladder", "search", "ensemble", "anchors", "eval"),
    "share": ("publish", "report", "export", "corpus"),
    "audit": ("audit", "leaderboard"),
}
VERBS = [verb for verbs in GROUPS.values() for verb in verbs]
# verb -> (module of cli/, function) where these have other names
_PLACES = {
    "predict": ("look", "predict"),
    "sample": ("look", "sample"),
    "inside": ("look", "inside"),
    "noise": ("ladder", "noise"),
    "resume": ("train", "resume"),
    "list": ("recipes", "list_recipes"),
    "show": ("recipes", "show"),
    "eval": ("runs", "evaluate"),
    "data": ("analyze", "data"),
    "publish": ("analyze", "publish"),
}
_MOST_COLUMNS = 120
# torchrun ends all processes when one ends: the others wait until the first one has printed the mistake
_PRINTED_SECONDS = 5.0
# (verb, old option) -> its present name; the old one works, with a line, until version 0.2
RENAMED = {
    ("compare", "--folder"): "--runs",
    ("runs", "--folder"): "--runs",
    ("serve", "--folder"): "--runs",
    ("serve", "--show"): "--open",
    ("search", "--folder"): "--study",
}
# These go on when their output cannot be written any more: what counts is the run folders.
_TRAINING_VERBS = ("demo", "train", "resume", "ladder", "noise", "search", "ensemble")


def main(argv: list[str] | None = None) -> int:
    """Run the command line; return the exit code: 2 for a user's mistake, 130 after an interrupt."""
    return guarded(lambda: _call_verb(sys.argv[1:] if argv is None else argv))


def _call_verb(arguments: list[str]) -> None:
    if arguments == ["--version"]:
        print(f"sevenepochs {__version__}")
        return
    if not arguments or arguments[0] in ("-h", "--help"):
        print(_overview(), end="")
        return
    if arguments[0] not in VERBS:
        raise UserError(f"{arguments[0]!r} is no verb{nearest(arguments[0], VERBS, command('--help'))}")
    import tyro

    verb, *rest = _with_new_names(arguments)
    function = _function(verb)
    # only parsing writes to the box: the verb is called behind it
    parsed: Any = functools.wraps(function)(lambda *values, **options: functools.partial(function, *values, **options))
    try:
        with contextlib.redirect_stderr(io.StringIO()) as box:
            action = tyro.cli(parsed, prog=f"sevenepochs {verb}", args=rest, config=(tyro.conf.OmitArgPrefixes,))
    except SystemExit as leaving:
        if leaving.code != 2:
            raise
        raise UserError(_one_line(box.getvalue()) + f"; {command(verb, '--help')}") from None
    action()


def _one_line(box: str) -> str:
    """Return the message in tyro's box about a wrong option, and the options that it suggests."""
    text = re.sub(r"\x1b\[[0-9;]*m|│", "", box.partition("\n")[2])  # below the title, without colours
    text = re.sub(r"^ +| +$", "", text, flags=re.M)
    paragraphs = re.findall(r"(?:^.*\w.*\n)+", text, re.M) or [text]
    what = " ".join(paragraphs[0].split()).removeprefix("Error parsing ")
    what = re.sub(r"no type matching \{None\}\|(\S+) could be instantiated from \[(.*)\]", r"\2 is no \1", what)
    what = re.sub(r"(?:invalid|could not).*( int| float)\b.*:", r"no\1:", what)
    near = re.findall(r"^--\w\S*", text, re.M) if "Perhaps you meant:" in text else []
    return what.rstrip(".") + (f"; did you mean {' or '.join(near)}?" if near else "")


def _function(verb: str) -> Callable[..., None]:
    """The verb's function; no other verb's module is imported."""
    module, function = _PLACES.get(verb, (verb, verb))
    return getattr(importlib.import_module(f"sevenepochs.cli.{module}"), function)


def _overview() -> str:
    """The program, the next steps (which `make` prints too), and the verbs by group."""
    steps = Path(__file__).with_name("next_steps.txt").read_text("utf-8")
    parts = [_DESCRIPTION, "Next steps:\n" + steps.replace("sevenepochs", program()).rstrip()]
    columns = min(shutil.get_terminal_size().columns, _MOST_COLUMNS)
    for group, verbs in GROUPS.items():
        lines = [group]
        for verb in verbs:
            lines += textwrap.wrap(f"    {verb:13}{_summary(verb)}", columns, subsequent_indent=" " * 17)
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _summary(verb: str) -> str:
    """The first line of a verb's docstring, read as text: the overview imports no verb."""
    module, function = _PLACES.get(verb, (verb, verb))
    source = ast.parse(Path(__file__).with_name(f"{module}.py").read_text("utf-8"))
    found = next(node for node in source.body if isinstance(node, ast.FunctionDef) and node.name == function)
    return (ast.get_docstring(found) or "").partition("\n")[0]


def _with_new_names(arguments: list[str]) -> list[str]:
    """The arguments with renamed options under their present names; prints each renaming."""
    renamed = []
    for word in arguments:
        option, equals, value = word.partition("=")
        new = RENAMED.get((arguments[0], option), option)
        if new != option:
            print(f"{option} is called {new} now; the old name goes with the next version", file=sys.stderr)
        renamed.append(new + equals + value)
    return renamed


def guarded(action: Callable[[], Any]) -> int:
    """Call `action`; a user's mistake becomes one line. Returns the exit code."""
    from sevenepochs.training.interrupt import Interrupted, StoppedUnsaved

    try:
        action()
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where an error can still be printed
    except UserError as error:
        if not is_first_process():
            time.sleep(_PRINTED_SECONDS)
        return _say(f"error: {error}", 2)
    except Interrupted as stop:
        return _say(f"interrupted; {_resume_with(stop.run_path)}", 130)
    except StoppedUnsaved as stop:
        saved = f"step {stop.saved_step} is saved" if stop.saved_step else "nothing is saved yet"
        return _say(f"interrupted; {saved}; {_resume_with(stop.run_path)}", 130)
    except KeyboardInterrupt:
        return _say("interrupted", 130)
    except BrokenPipeError:
        # the reader (head, less) went away; keep the interpreter from complaining when it flushes
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except OSError as error:  # of the surroundings: a folder, a disk, a limit
        where = f"{error.filename}: " if error.filename is not None else ""
        limit = " (the limit on file sizes, `ulimit -f`)" if error.errno == errno.EFBIG else ""
        reason = f"{where}{error.strerror or error}{limit}"
        print(f"error: {reason}; check permissions, room and limits there", file=sys.stderr)  # of any process
        return 2
    return 0


def _say(line: str, code: int) -> int:
    if is_first_process():
        print(line, file=sys.stderr)
    return code


def _resume_with(run: Path) -> str:
    return f"resume with: {program()} resume {shlex.quote(str(run))}"


def entry() -> None:
    """The console script."""
    prepare(outlives_output=bool(set(sys.argv[1:2]) & set(_TRAINING_VERBS)))
    sys.exit(main())
