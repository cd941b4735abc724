"""`sevenepochs VERB ...`: parse, run, and turn the user's mistakes into one line and exit code 2."""

from __future__ import annotations

import errno
import importlib
import os
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
    "judge": ("compare", "noise", "ladder", "search", "anchors", "eval"),
    "share": ("publish", "report", "export", "corpus"),
    "audit": ("audit", "leaderboard"),
}
VERBS = [verb for verbs in GROUPS.values() for verb in verbs]
# (module of cli/, function) of a verb; the others have modules and functions of their names
_PLACES = {
    "demo": ("train", "demo"),
    "resume": ("train", "resume"),
    "list": ("list", "list_recipes"),
    "eval": ("eval", "evaluate"),
}
_MOST_COLUMNS = 120
# torchrun ends all processes when one ends: the others wait until the first one has printed the mistake
_PRINTED_SECONDS = 5.0
# (verb, old option) -> the option's name now; understood, with a line, until version 0.2
RENAMED = {
    ("compare", "--folder"): "--runs",
    ("runs", "--folder"): "--runs",
    ("serve", "--folder"): "--runs",
    ("serve", "--show"): "--open",
    ("search", "--folder"): "--study",
}
# These go on when their output cannot be written any more: what counts is the run folders.
_TRAINING_VERBS = ("demo", "train", "resume", "ladder", "noise", "search")


def main(argv: list[str] | None = None) -> int:
    """Run the command line; returns the exit code (2 for a user's mistake, 130 after an interrupt)."""
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
    tyro.cli(_function(verb), prog=f"sevenepochs {verb}", args=rest, config=(tyro.conf.OmitArgPrefixes,))


def _function(verb: str) -> Callable[..., None]:
    """Return the verb's function; no other verb's module is imported."""
    module, function = _PLACES.get(verb, (verb, verb))
    return getattr(importlib.import_module(f"sevenepochs.cli.{module}"), function)


def _overview() -> str:
    """What this is, the next steps (which `make` prints as well), and the verbs by group."""
    steps = Path(__file__).with_name("next_steps.txt").read_text("utf-8")
    parts = [_DESCRIPTION, "Next steps:\n" + steps.replace("sevenepochs", program()).rstrip()]
    columns = min(shutil.get_terminal_size().columns, _MOST_COLUMNS)
    for group, verbs in GROUPS.items():
        lines = [group]
        for verb in verbs:
            summary = (_function(verb).__doc__ or "").partition("\n")[0]
            lines += textwrap.wrap(f"    {verb:13}{summary}", columns, subsequent_indent=" " * 17)
        parts.append("\n".join(lines))
    return "\n\n".join(parts) + "\n"


def _with_new_names(arguments: list[str]) -> list[str]:
    """The arguments with renamed options under their new names; each is told on the error stream."""
    renamed = []
    for word in arguments:
        option, equals, value = word.partition("=")
        new = RENAMED.get((arguments[0], option), option)
        if new != option:
            print(f"{option} is called {new} now; the old name goes with the next version", file=sys.stderr)
        renamed.append(new + equals + value)
    return renamed


def guarded(action: Callable[[], Any]) -> int:
    """Do it; a user's mistake becomes one line. Returns the exit code."""
    from sevenepochs.training.interrupt import Interrupted, StoppedUnsaved

    try:
        action()
        if sys.stdout is not None:
            sys.stdout.flush()  # here, where an error can still be told
    except UserError as error:
        if is_first_process():
            print(f"error: {error}", file=sys.stderr)
        else:
            time.sleep(_PRINTED_SECONDS)
        return 2
    except Interrupted as stop:
        if is_first_process():
            print(f"interrupted; resume with: {program()} resume {shlex.quote(str(stop.run_path))}", file=sys.stderr)
        return 130
    except StoppedUnsaved as stop:
        if is_first_process():
            saved = f"step {stop.saved_step} is saved" if stop.saved_step else "nothing is saved yet"
            way_on = f"{program()} resume {shlex.quote(str(stop.run_path))}"
            print(f"interrupted; {saved}; resume with: {way_on}", file=sys.stderr)
        return 130
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        # the reader (head, less) went away; keep the interpreter from complaining when it flushes
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # of the surroundings: a folder, a disk, a limit
        print(f"error: {_in_words(error)}", file=sys.stderr)
        return 2
    return 0


def _in_words(error: OSError) -> str:
    where = f"{error.filename}: " if error.filename is not None else ""
    limit = " (the limit on file sizes, `ulimit -f`)" if error.errno == errno.EFBIG else ""
    return f"{where}{error.strerror or error}{limit}; check permissions, room and limits there"


def entry() -> None:
    """The console script."""
    prepare(outlives_output=bool(set(sys.argv[1:2]) & set(_TRAINING_VERBS)))
    sys.exit(main())


if __name__ == "__main__":
    entry()
