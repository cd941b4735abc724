"""`leaderboard`."""

from __future__ import annotations

from sevenepochs.cli.audit import Reference, Targets
from sevenepochs.cli.json_output import print_json


def leaderboard(targets: Targets, reference: Reference = None, json: bool = False) -> None:
    """Rank runs, results and logs by corrected loss, each dataset version and track on its own.

    Args:
        targets: Logs, run folders, folders of results/, repositories, or folders that hold several of these.
        reference: A log or run of ours on the same data, where the data is not the challenge's.
        json: Print JSON.
    """
    from sevenepochs.audit.leaderboard import boards_as_dicts, boards_as_text
    from sevenepochs.audit.leaderboard import leaderboard as rank
    from sevenepochs.cli.audit import audits_of

    boards = rank([run for target in audits_of(targets, reference) for run in target.runs])
    if json:
        print_json(boards_as_dicts(boards))
        return
    print(boards_as_text(boards), end="")
