"""`leaderboard`."""

from __future__ import annotations

from pathlib import Path

from sevenepochs.cli.audit import Reference, Targets
from sevenepochs.cli.console import print_json
from sevenepochs.cli.options import Json, RunsFolder


def leaderboard(
    targets: Targets, reference: Reference = None, runs: RunsFolder = Path("runs"), json: Json = False
) -> None:
    """Rank runs, results and logs by corrected loss, each dataset version and track on its own.

    Args:
        targets: Logs, run folders, folders of results/, repositories, or folders that hold several of these.
        reference: A log or run of ours on the same data, where the data is not the challenge's.
    """
    from sevenepochs.audit.report import boards_as_dicts, boards_as_text
    from sevenepochs.audit.report import leaderboard as rank
    from sevenepochs.cli.audit import audits_of

    boards = rank([run for target in audits_of(targets, reference, runs) for run in target.entries])
    if json:
        print_json(boards_as_dicts(boards))
        return
    print(boards_as_text(boards), end="")
