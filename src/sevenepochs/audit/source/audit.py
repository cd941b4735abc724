"""SourceAudit: a repository's ten places, as in the challenge or changed, and the rules that it breaks.

known.json holds what is known of the challenge's program: hashes of normal forms, nobody's source. A template, the
reader's own copy of it, is known by its places in the same way, and gives a diff as well.
"""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from sevenepochs.audit.finding import Finding, worst_first
from sevenepochs.audit.folder import Folder, read_folder
from sevenepochs.audit.source.normal import hash_of, marks_of, short_hash
from sevenepochs.audit.source.places import PLACES, Known, find_places
from sevenepochs.audit.source.program import Program, read_tree
from sevenepochs.audit.source.rules import rule_findings
from sevenepochs.audit.source.settings import Setting, setting_findings, settings_of
from sevenepochs.audit.source.syntax import DEFINITIONS
from sevenepochs.errors import UserError

_MAX_FINDINGS, _MAX_OTHERS, _MAX_UNREAD, _MAX_DIFF_LINES, _MAX_LISTED, _MAX_LINES = 200, 8, 20, 200, 300, 2_000
_MAX_NODES_BESIDE = 100_000  # of a first program beside which others are judged
# What the number means does not hang on the other three: they decide how good the model is.
_OF_MEANING = ("settings", "dataset call", "title selection", "text assembly", "encode/decode", "windows", "evaluate")


@dataclass(frozen=True)
class Place:
    """One of the ten places of a program."""

    name: str
    state: Literal["unchanged", "changed", "not found"] = "not found"
    where: tuple[str, ...] = ()  # its parts, as `file:12-20`
    changed: tuple[str, ...] = ()  # statements of no known version; none where something was taken out or moved
    diff: tuple[str, ...] = ()  # a unified diff against the template, where one was given


@dataclass(frozen=True)
class SourceAudit:
    """The verdict on a folder's source."""

    headline: str  # the line that a reader should see first
    program: str | None = None  # the entry file that was judged; None where none trains on titles
    places: tuple[Place, ...] = ()  # in the order in which data flows
    settings: tuple[Setting, ...] = ()  # every value that code, files and commands give to a setting
    findings: tuple[Finding, ...] = ()  # worst first


def audit_source(folder: Folder, template: Path | None = None) -> SourceAudit:
    """Judge the program in a folder against the challenge's, or against a template as well.

    Raises:
        UserError: the template does not exist, or holds no program.
    """
    known = challenge_versions()
    if template is not None:
        copy = read_tree(read_folder(template))
        if not copy.programs():
            raise UserError(f"{template} holds no training program; give your copy of the challenge to --template")
        theirs = find_places(copy, copy.programs()[0], known)
        for place in theirs.places:
            known[place].append(version_of(theirs, place)[0])
    source = read_tree(folder)
    entries = source.programs()
    if not entries:
        message = "no Python file or notebook here trains a model on titles"
        audit = SourceAudit("no training program of the challenge was found")
        findings = [Finding("warning", "no-training-program", message, None, None, "likely")]
    else:
        program = find_places(source, entries[0], known)
        places, settings = tuple(_judge(program, name, known[name]) for name in PLACES), settings_of(program)
        findings = worst_first((*setting_findings(program, settings), *rule_findings(program)))[:_MAX_FINDINGS]
        audit = SourceAudit(_headline(program, places, findings), entries[0], places, tuple(settings))
    for other in entries[1 : 1 + _MAX_OTHERS] if source.n_nodes < _MAX_NODES_BESIDE else ():
        marks = sorted({f.rule for f in rule_findings(find_places(source, other, known)) if f.severity == "error"})
        said = f"it would be marked {', '.join(marks)}" if marks else "nothing to mark there"
        message = f"another program that trains, beside {entries[0]}: {said}"
        findings.append(Finding("note", "other-program", message, f"{other}:1", None, "possible"))
    unread = list(source.unread.items())[:_MAX_UNREAD]
    findings += [Finding("note", "unread-file", f"not read: {reason}", f"{path}:1") for path, reason in unread]
    return replace(audit, findings=tuple(findings))


def _headline(program: Program, places: tuple[Place, ...], findings: list[Finding]) -> str:
    unchanged, changed, missing = (
        [place.name for place in places if place.state == state] for state in ("unchanged", "changed", "not found")
    )
    parts = [f"{len(unchanged)} of {len(places)} places as in the challenge"]
    parts += [f"changed: {', '.join(changed)}"] if changed else []
    parts += [f"not found: {', '.join(missing)}"] if missing else []
    errors = [finding for finding in findings if finding.severity == "error"]
    to_read = [name for name in _OF_MEANING if name not in unchanged]
    if errors:
        of_line = {program.file(n).where(line): name for name, nodes in program.places.items() for n in nodes
                   for line in range(n.lineno, n.end_lineno + 1)}  # fmt: skip
        more = f" (and {len(errors) - 1} more)" if len(errors) > 1 else ""
        parts.append(f"{of_line.get(errors[0].evidence or '', errors[0].rule)}: {errors[0].message}{more}")
    elif to_read:
        parts.append(f"no known rule is broken; what the number means hangs on {', '.join(to_read)}: read those lines")
    else:
        parts.append("nothing that changes what the number means was found")
    return "; ".join(parts)


def challenge_versions() -> dict[str, list[Known]]:
    """Return the known versions of each place of the challenge's program."""
    stored = json.loads(Path(__file__).with_name("known.json").read_text(encoding="utf-8"))
    return {
        place: [Known(v["digest"], frozenset(v["statements"].split()), v["name"]) for v in versions]
        for place, versions in stored.items()
    }


def version_of(program: Program, place: str) -> tuple[Known, list[tuple[str, str]]]:
    """Return what makes a place of a program known, and (line, hash) of each of its statements."""
    nodes = program.places[place]
    name = nodes[0].name if isinstance(nodes[0], DEFINITIONS) else None
    if place == "settings":  # values count, not how they are written
        values = {setting.role: setting for setting in settings_of(program) if setting.layer == "code"}
        marks = [(one.where, short_hash(f"{role} {one.value:g}", 8)) for role, one in values.items()]
        digest = short_hash(" ".join(sorted(mark for _, mark in marks)), 16)
    else:
        by_data = name is None  # among bare statements train and val are told apart by name
        marks = [(program.where(node), mark) for node, mark in marks_of(nodes, program, by_data)]
        digest = hash_of(nodes, program, by_data)
    texts = [program.file(node).lines[node.lineno - 1 : node.end_lineno] for node in nodes]
    lines = [line.rstrip() for text in texts for line in text if line.strip() and not line.lstrip().startswith("#")]
    return Known(digest, frozenset(mark for _, mark in marks), name, tuple(lines[:_MAX_LINES])), marks


def _judge(program: Program, name: str, versions: list[Known]) -> Place:
    """Compare a place with its known versions; a template's comes before the challenge's."""
    if name not in program.places:
        return Place(name)
    where = tuple(program.where(node, whole=True) for node in program.places[name][:_MAX_LISTED])
    own, marks = version_of(program, name)
    if own.digest in {version.digest for version in versions}:
        return Place(name, "unchanged", where)
    nearest = max(versions, key=lambda version: (bool(version.lines), len(own.statements & version.statements)))
    new = list(dict.fromkeys(line for line, mark in marks if mark not in nearest.statements))
    diff = difflib.unified_diff(nearest.lines, own.lines, "template", program.entry, n=1, lineterm="")
    shown = tuple(diff)[:_MAX_DIFF_LINES] if nearest.lines else ()
    return Place(name, "changed", where, tuple(new[:_MAX_LISTED]), shown)
