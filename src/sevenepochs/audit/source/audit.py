"""What a repository's source does to its number: ten places as in the challenge or changed, and rules broken.

known.json holds what is known of the challenge's program: hashes of normal forms, nobody's source. A template, the
reader's own copy of it, is known by its places in the same way, and gives a diff as well.
"""

from __future__ import annotations

import difflib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from sevenepochs.audit.finding import SEVERITIES, Finding
from sevenepochs.audit.folder import Folder, read_folder
from sevenepochs.audit.settings import Setting, setting_findings, settings_of
from sevenepochs.audit.source.locate import PLACES, find_places
from sevenepochs.audit.source.normal import DEFINITIONS, hash_of, marks_of, short_hash
from sevenepochs.audit.source.program import Known, Program
from sevenepochs.audit.source.rules import rule_findings
from sevenepochs.audit.source.tree import SourceTree, read_tree
from sevenepochs.errors import UserError

_MAX_FINDINGS, _MAX_OTHERS, _MAX_UNREAD, _MAX_DIFF_LINES, _MAX_LISTED, _MAX_LINES = 200, 8, 20, 200, 300, 2_000
_MAX_NODES_BESIDE = 100_000  # of a first program beside which others are judged
# What the number means does not hang on the other three: they decide how good the model is.
_OF_MEANING = ("settings", "dataset call", "title selection", "text assembly", "encode/decode", "windows", "evaluate")
_BY_DATA = ("text assembly", "epoch loop")  # in which train and val are told apart by name


@dataclass(frozen=True)
class Place:
    """One of the ten places of a program.

    Attributes:
        where: its parts, as `file:12-20`.
        changed: statements that no known version has, as `file:13`; none where something was only taken out or moved.
        diff: lines of a unified diff against the template, where one was given.
    """

    name: str
    state: Literal["unchanged", "changed", "not found"] = "not found"
    where: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    diff: tuple[str, ...] = ()


@dataclass(frozen=True)
class SourceAudit:
    """What was read in a folder's source.

    Attributes:
        headline: one line, the first that a reader should see.
        program: the entry file that was judged; None where none trains on titles.
        places: the ten places, in the order in which data flows.
        settings: every value that code, files and commands give to a setting.
        findings: rules broken and lines to read, worst first.
    """

    headline: str
    program: str | None = None
    places: tuple[Place, ...] = ()
    settings: tuple[Setting, ...] = ()
    findings: tuple[Finding, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON values."""
        lists = {name: [vars(one) for one in getattr(self, name)] for name in ("places", "settings", "findings")}
        return {"headline": self.headline, "program": self.program, **lists}


def audit_source(folder: Folder | Path, template: Path | None = None) -> SourceAudit:
    """Judge the program in a folder against the challenge's, or against a template as well.

    Raises:
        UserError: the folder or the template does not exist, or the template holds no program.
    """
    known = challenge_versions()
    if template is not None:
        for place, version in _template_versions(template, known).items():
            known.setdefault(place, []).append(version)
    source = read_tree(_opened(folder))
    entries = source.programs()
    if not entries:
        message = "no Python file or notebook here trains a model on titles"
        none = Finding("warning", "no-training-program", message, None, None, "likely")
        return SourceAudit("no training program of the challenge was found", findings=(none, *_unread(source)))
    program = find_places(source, entries[0], known)
    places, settings = tuple(_judge(program, name, known.get(name, [])) for name in PLACES), settings_of(program)
    findings = [*setting_findings(program, settings), *rule_findings(program)]
    for other in entries[1 : 1 + _MAX_OTHERS] if source.n_nodes < _MAX_NODES_BESIDE else ():
        marks = sorted({f.rule for f in rule_findings(find_places(source, other, known)) if f.severity == "error"})
        said = f"it would be marked {', '.join(marks)}" if marks else "nothing to mark there"
        message = f"another program that trains, beside {entries[0]}: {said}"
        findings.append(Finding("note", "other-program", message, f"{other}:1", None, "possible"))
    findings = sorted(dict.fromkeys([*findings, *_unread(source)]), key=lambda f: SEVERITIES.index(f.severity))
    headline = _headline(program, places, findings)
    return SourceAudit(headline, entries[0], places, tuple(settings), tuple(findings[:_MAX_FINDINGS]))


def _opened(path: Folder | Path) -> Folder:
    if isinstance(path, Path) and not path.exists():
        raise UserError(f"{path}: no such folder; give the folder of a training program's source")
    return read_folder(path) if isinstance(path, Path) else path


def _unread(source: SourceTree) -> list[Finding]:
    items = list(source.unread.items())[:_MAX_UNREAD]
    return [Finding("note", "unread-file", f"not read: {reason}", f"{path}:1") for path, reason in items]


def _headline(program: Program, places: tuple[Place, ...], findings: list[Finding]) -> str:
    names = {
        state: [place.name for place in places if place.state == state]
        for state in ("unchanged", "changed", "not found")
    }
    parts = [f"{len(names.pop('unchanged'))} of {len(places)} places as in the challenge"]
    parts += [f"{state}: {', '.join(some)}" for state, some in names.items() if some]
    errors = [finding for finding in findings if finding.severity == "error"]
    to_read = [name for name in _OF_MEANING if name in (*names["changed"], *names["not found"])]
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
    """The known versions of each place of the challenge's program."""
    stored = json.loads(Path(__file__).with_name("known.json").read_text(encoding="utf-8"))
    return {
        place: [Known(v["digest"], frozenset(v["statements"].split()), v["name"]) for v in versions]
        for place, versions in stored.items()
    }


def _template_versions(template: Path, known: dict[str, list[Known]]) -> dict[str, Known]:
    source = read_tree(_opened(template))
    entries = source.programs()
    if not entries:
        raise UserError(f"{template} holds no training program; give your copy of the challenge to --template")
    program = find_places(source, entries[0], known)
    return {place: version_of(program, place) for place in program.places}


def version_of(program: Program, place: str) -> Known:
    """What makes a place of a program known."""
    nodes = program.places[place]
    marks = [mark for _, mark in _marks(program, place)]
    name = nodes[0].name if isinstance(nodes[0], DEFINITIONS) else None
    digest = hash_of(nodes, program.scope, by_data=not isinstance(nodes[0], DEFINITIONS))
    if place == "settings":  # values count, not how they are written
        digest = short_hash(" ".join(sorted(marks)), 16)
    texts = [program.file(node).lines[node.lineno - 1 : node.end_lineno] for node in nodes]
    lines = [line.rstrip() for text in texts for line in text if line.strip() and not line.lstrip().startswith("#")]
    return Known(digest, frozenset(marks), name, tuple(lines[:_MAX_LINES]))


def _marks(program: Program, name: str) -> list[tuple[str, str]]:
    """(line, hash) of each statement of a place; of the settings, of each value that decides the number."""
    if name == "settings":
        values = {s.role: s for s in settings_of(program) if s.layer == "code"}
        return [(s.where, short_hash(f"{role} {s.value:g}", 8)) for role, s in values.items()]
    marks = [(node, mark) for node in program.places[name] for mark in marks_of(node, program.scope, name in _BY_DATA)]
    return [(program.file(node).where(line), mark) for node, (line, mark) in marks]


def _judge(program: Program, name: str, versions: list[Known]) -> Place:
    """A place, compared with its known versions; a template's comes before the challenge's."""
    if name not in program.places:
        return Place(name)
    where = tuple(program.where(node, whole=True) for node in program.places[name][:_MAX_LISTED])
    own = version_of(program, name)
    if own.digest in {version.digest for version in versions}:
        return Place(name, "unchanged", where)
    nearest = max(
        versions or [Known("", frozenset())],
        key=lambda version: (bool(version.lines), len(own.statements & version.statements)),
    )
    new = list(dict.fromkeys(line for line, mark in _marks(program, name) if mark not in nearest.statements))
    diff = difflib.unified_diff(nearest.lines, own.lines, "template", program.entry, n=1, lineterm="")
    return Place(
        name, "changed", where, tuple(new[:_MAX_LISTED]), tuple(diff)[:_MAX_DIFF_LINES] if nearest.lines else ()
    )
