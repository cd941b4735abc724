"""audit_source: reads a challenger's repository and says which rules its source breaks, with file and line.

The source is parsed, never imported or executed. `source_tree` finds and parses the files, `source_machine` works out
what the program's values mean, `source_evaluate` compares that with the protocol, `source_rules` looks at single lines.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from sevenepochs.audit.finding import Finding
from sevenepochs.audit.source_evaluate import check_evaluation, read_program, reported
from sevenepochs.audit.source_machine import Machine
from sevenepochs.audit.source_rules import check_files
from sevenepochs.audit.source_scopes import EVALUATOR
from sevenepochs.audit.source_training import check_training
from sevenepochs.audit.source_tree import SourceTree, read_tree
from sevenepochs.errors import UserError

MAX_OTHER_PROGRAMS = 8
MAX_UNFOLLOWED = 10
MAX_FINDINGS = 500
_SEVERITIES = ("error", "warning", "note")


def audit_source(folder: Path) -> list[Finding]:
    """What the source in a folder (or one file) does to its number, worst first.

    Raises:
        UserError: there is no such folder.
    """
    folder = Path(folder)
    if not folder.exists():
        raise UserError(f"{folder}: no such folder; give the folder of a training program's source")
    source = read_tree(folder)
    findings = [
        Finding("note", "unread-file", f"not audited: {reason}", f"{path}:1", None, "certain")
        for path, reason in list(source.unread.items())[:20]
    ]
    programs = find_programs(source)
    if not programs:
        message = "no training program found: no Python file here computes a backward pass and an evaluation"
        findings.append(Finding("warning", "no-training-program", message, None, None, "likely"))
        return findings
    findings += audit_program(source, programs[0])
    for other in programs[1 : 1 + MAX_OTHER_PROGRAMS]:
        rules = sorted({finding.rule for finding in audit_program(source, other) if finding.severity != "note"})
        said = f"it would be marked {', '.join(rules)}" if rules else "nothing to mark there"
        message = f"another program that trains, beside {programs[0]}: {said}"
        findings.append(Finding("note", "other-program", message, f"{other}:1", None, "possible"))
    return sorted(dict.fromkeys(findings), key=lambda finding: _SEVERITIES.index(finding.severity))[:MAX_FINDINGS]


def audit_program(source: SourceTree, entry: str) -> list[Finding]:
    """The findings of one program: its entry file and what that imports."""
    findings: list[Finding] = []
    machine = Machine(source, entry)
    try:
        read_program(machine)
        findings += check_evaluation(machine)
        findings += check_training(machine)
    except (RecursionError, MemoryError):
        message = "the program is nested too deeply to follow"
        findings.append(Finding("warning", "eval-unrecognised", message, f"{entry}:1", None, "possible"))
    findings += _unfollowed(machine)
    followed = machine.lines_read if reported(machine) is not None else None
    findings += check_files(source, source.reachable(entry), followed)
    return findings


def _unfollowed(machine: Machine) -> Iterator[Finding]:
    """What nobody should take for checked."""
    for place, reason in list(machine.unfollowed.items())[:MAX_UNFOLLOWED]:
        yield Finding("note", "not-followed", f"could not check: {reason}", str(place), None, "certain")
    left = len(machine.unfollowed) - MAX_UNFOLLOWED
    if left > 0:
        message = f"could not check {left} more lines"
        yield Finding("note", "not-followed", message, f"{machine.entry}:1", None, "certain")


def find_programs(source: SourceTree) -> list[str]:
    """Entry files of the programs that train and evaluate, the likeliest first (train.py before others)."""
    backward, evaluates, guarded = set(), set(), set()
    for path, file in source.files.items():
        for node in ast.walk(file.tree):
            if isinstance(node, ast.Attribute) and node.attr == "backward":
                backward.add(path)
            elif isinstance(node, ast.Name | ast.Attribute | ast.FunctionDef | ast.alias):
                name = getattr(node, "id", getattr(node, "attr", getattr(node, "name", "")))
                if EVALUATOR.search(name):
                    evaluates.add(path)
            elif isinstance(node, ast.Constant) and node.value == "__main__":
                guarded.add(path)
    entries = []
    for path in source.files:
        inside = set(source.reachable(path))
        tests = re.search(r"(^|/)(tests?|conftest|test_[^/]*|[^/]*_test)(/|\.py$|$)", path)
        if inside & backward and inside & evaluates and not tests:
            entries.append(path)

    def rank(path: str) -> tuple[object, ...]:
        name = path.rsplit("/", 1)[-1]
        return (
            name != "train.py",
            path not in guarded,
            not name.startswith("train"),
            path not in backward,
            path.count("/"),
            path,
        )

    entries.sort(key=rank)
    if not entries:
        return []
    first = set(source.reachable(entries[0]))
    others = [path for path in entries[1:] if path in backward and path not in first]
    return [entries[0], *others]
