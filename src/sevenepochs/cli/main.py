"""`sevenepochs VERB ...`: parse, run, and turn the user's mistakes into one line and exit code 2."""

from __future__ import annotations

import errno
import os
import shlex
import sys
import time
from collections.abc import Callable
from typing import Any

from sevenepochs import __version__
from sevenepochs.errors import UserError

_DESCRIPTION = """How low can a small GPT's validation loss go on Hacker News headlines in seven epochs, and why?

Start with `sevenepochs demo` (some minutes, nothing to download), then `sevenepochs list`."""

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
    arguments = _with_new_names(arguments)
    import tyro

    from sevenepochs.cli.analyze import analyze
    from sevenepochs.cli.audit import audit
    from sevenepochs.cli.compare import compare
    from sevenepochs.cli.corpus import corpus
    from sevenepochs.cli.data import data
    from sevenepochs.cli.demo import demo
    from sevenepochs.cli.eval import evaluate
    from sevenepochs.cli.export import export
    from sevenepochs.cli.inside import inside
    from sevenepochs.cli.ladder import ladder
    from sevenepochs.cli.leaderboard import leaderboard
    from sevenepochs.cli.list import list_recipes
    from sevenepochs.cli.noise import noise
    from sevenepochs.cli.predict import predict
    from sevenepochs.cli.publish import publish
    from sevenepochs.cli.report import report
    from sevenepochs.cli.runs import runs
    from sevenepochs.cli.sample import sample
    from sevenepochs.cli.search import search
    from sevenepochs.cli.serve import serve
    from sevenepochs.cli.show import show
    from sevenepochs.cli.train import resume, train

    verbs: dict[str, Callable[..., Any]] = {
        "demo": demo,
        "train": train,
        "resume": resume,
        "eval": evaluate,
        "compare": compare,
        "noise": noise,
        "ladder": ladder,
        "search": search,
        "runs": runs,
        "list": list_recipes,
        "show": show,
        "predict": predict,
        "sample": sample,
        "inside": inside,
        "serve": serve,
        "analyze": analyze,
        "data": data,
        "corpus": corpus,
        "publish": publish,
        "report": report,
        "export": export,
        "audit": audit,
        "leaderboard": leaderboard,
    }
    tyro.extras.subcommand_cli_from_dict(
        verbs, prog="sevenepochs", description=_DESCRIPTION, args=arguments, config=(tyro.conf.OmitArgPrefixes,)
    )


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
    from sevenepochs.cli.program import is_first_process, program
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
    from sevenepochs.cli.program import prepare

    prepare(outlives_output=bool(set(sys.argv[1:2]) & set(_TRAINING_VERBS)))
    sys.exit(main())


if __name__ == "__main__":
    entry()
