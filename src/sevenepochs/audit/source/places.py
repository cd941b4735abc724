"""Where a program decides its number: ten places, found by name, by likeness to known ones, or by what they do."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from sevenepochs.audit.source.normal import is_log_line, marks_of
from sevenepochs.audit.source.program import Nodes, Program, SourceTree
from sevenepochs.audit.source.settings import settings_holder
from sevenepochs.audit.source.syntax import DEFINITIONS, calls_in, last_name, names_in, stored_names, targets

PLACES = ("settings", "dataset call", "title selection", "text assembly", "tokenizer", "encode/decode", "batches",
          "windows", "evaluate", "epoch loop")  # fmt: skip
EVALUATOR = re.compile(r"eval|valid|(^|_)val(_|$)", re.IGNORECASE)
LOADERS = frozenset({"load_dataset", "hf_hub_download", "snapshot_download", "read_parquet", "load_from_disk"})
_SEPARATOR = re.compile(r"eos|sep(arator)?$|delim|end_of", re.IGNORECASE)
_TITLES = re.compile(r"titles|headlines|(train|val)_(docs|texts)", re.IGNORECASE)
_ENCODES = re.compile(r"encod|tensor|tokeni[sz]e|array|from_numpy", re.IGNORECASE)
_LEARNS = frozenset({"train_from_iterator", "train_new_from_iterator", "SentencePieceTrainer"})
_LOSSES = frozenset({"cross_entropy", "CrossEntropyLoss", "nll_loss", "log_softmax", "loss", "losses", "total_loss"})
_LIKE = 0.5  # share of common statements from which two functions are one place


@dataclass(frozen=True)
class Known:
    """One known version of a place: hashes of its normal form and of its statements, its function's name, its lines."""

    digest: str
    statements: frozenset[str]
    name: str | None = None
    lines: tuple[str, ...] = ()


def find_places(source: SourceTree, entry: str, known: dict[str, list[Known]]) -> Program:
    """Return the program of an entry file, with the places found in it."""
    program = Program(source, entry)
    loop, places = _loop(program), program.places

    def find(name: str, by_doing: Callable[[], Nodes]) -> None:
        versions = known.get(name, [])
        named = program.defined(version.name for version in versions if version.name)
        places[name] = (named or _alike(program, versions) or by_doing())[:1]
        program.roles |= {node.name: name for node in places[name] if isinstance(node, ast.FunctionDef)}

    find("evaluate", lambda: _evaluator(program, loop))
    loops = [n.iter for e in places["evaluate"] for n in ast.walk(e) if isinstance(n, ast.For | ast.comprehension)]
    find("windows", lambda: _called_from(program, loops))
    unpacked = [n for one in loop for n in ast.walk(one) if any(isinstance(t, ast.Tuple) for t in targets(n))]
    find("batches", lambda: _called_from(program, unpacked))
    find("title selection", lambda: _around(program, lambda call: last_name(call) in LOADERS))
    find("tokenizer", lambda: _around(program, lambda call: bool(names_in(call.func) & _LEARNS)))
    encoders = [node for node in program.all(ast.ClassDef) if "encode" in stored_names(node.body)]
    find("encode/decode", lambda: encoders or program.defined(["encode"]))
    learners = {node.name for node in places["tokenizer"] if isinstance(node, DEFINITIONS)}
    places["tokenizer"] += program.statements_with(lambda call: last_name(call) in learners)[:1]
    places["dataset call"] = program.statements_with(lambda call: last_name(call) in LOADERS)[:1]
    places |= {"settings": settings_holder(program), "epoch loop": loop, "text assembly": _assembly(program, loop)}
    for nodes in places.values():  # a name that is bound anew is another function
        own = {node.name for node in nodes if isinstance(node, ast.FunctionDef)}
        nodes += [n for n in program.all(ast.Assign) if own & set(map(last_name, n.targets)) and n not in nodes]
    program.places = {name: places[name] for name in PLACES if places[name]}
    return program


def _alike(program: Program, versions: list[Known]) -> Nodes:
    """Return the function or class that shares most statements with a known version, if it shares enough."""
    best: tuple[float, Nodes] = (_LIKE, [])
    for node in program.all(*DEFINITIONS) if versions else ():
        own = {mark for _, mark in marks_of([node], program)}
        for version in versions:
            likeness = len(own & version.statements) / len(own | version.statements)
            if likeness >= best[0] and len(own & version.statements) > 2:
                best = (likeness, [node])
    return best[1]


def _loop(program: Program) -> Nodes:
    """Return the outermost loop that trains, and the statements that set what its headers and conditions read."""
    trainers = {n.name for n in program.all(ast.FunctionDef) if "backward" in map(last_name, calls_in(n))}
    called = {loop: set(map(last_name, calls_in(loop))) for loop in program.all(ast.For, ast.While)}
    training = [loop for loop, names in called.items() if names & (trainers | {"backward"})]
    if not training:
        return []
    # best one that goes backward itself, and evaluates; of equals the outermost, which comes first
    loop = min(training, key=lambda n: ("backward" not in called[n], not any(map(EVALUATOR.search, called[n]))))
    heads = [h for n in ast.walk(loop) for h in (getattr(n, "iter", None), getattr(n, "test", None)) if h is not None]
    names = [n for head in heads for n in ast.walk(head) if isinstance(n, ast.Name)]
    read = {n.id for n in names if not isinstance(program.parents[n], ast.Attribute)} - stored_names([loop])
    before = [s for s in _statements(program.scope_of(loop).body, loop) if not isinstance(s, ast.For | ast.While)]
    return [*(statement for statement in before if stored_names([statement]) & read), loop]


def _statements(body: Nodes, inside: Any = None) -> Iterator[Any]:
    """Yield the statements of a block but definitions and log lines; one that holds the node `inside` is entered."""
    for statement in body:
        if isinstance(statement, DEFINITIONS) or statement is inside or is_log_line(statement):
            continue
        if inside is not None and inside in ast.walk(statement):
            for name in ("body", "orelse", "finalbody"):
                yield from _statements(getattr(statement, name, []), inside)
        else:
            yield statement


def _evaluator(program: Program, loop: Nodes) -> Nodes:
    """Return what the loop calls to evaluate, else what is called so and computes a loss."""
    called = {name for node in loop for name in map(last_name, calls_in(node)) if EVALUATOR.search(name)}
    made = {last_name(n.value) for n in program.all(ast.Assign) if called & set(map(last_name, n.targets))}
    named = [node.name for node in program.all(*DEFINITIONS) if EVALUATOR.search(node.name)]
    return [n for names in (called, made, named) for n in program.defined(names) if names_in(n) & _LOSSES]


def _called_from(program: Program, nodes: Nodes) -> Nodes:
    """Return the functions of the program that these nodes call, other than evaluate()."""
    found = program.defined(last_name(call) for node in nodes for call in calls_in(node))
    return [n for n in found if isinstance(n, ast.FunctionDef) and n not in program.places["evaluate"]]


def _around(program: Program, wanted: Callable[[ast.Call], bool]) -> Nodes:
    """Return the innermost functions around such calls, else their statements."""
    scopes = [(statement, program.scope_of(statement)) for statement in program.statements_with(wanted)]
    return [scope if isinstance(scope, ast.FunctionDef) else statement for statement, scope in scopes]


def is_title_join(call: ast.Call) -> bool:
    """Whether a call joins titles, or anything by a separator that ends a title."""
    if not (isinstance(call.func, ast.Attribute) and call.func.attr == "join" and len(call.args) == 1):
        return False
    by = call.func.value
    if isinstance(by, ast.Constant):
        return isinstance(by.value, str) and ("<" in by.value or any(map(_TITLES.search, names_in(call.args[0]))))
    return any(_SEPARATOR.search(name) or _TITLES.search(name) for name in names_in(call))


def _assembly(program: Program, loop: Nodes) -> Nodes:
    """Return the statements that make texts and ids of titles: they bind or change what a join reads or gives."""
    returns = [n for n in program.all(ast.Return) if any(map(is_title_join, calls_in(n)))]
    helpers = [scope for n in returns if isinstance(scope := program.scope_of(n), ast.FunctionDef)]
    names = {node.name for node in helpers}
    best: tuple[int, Nodes] = (0, [])
    for scope in program.all(ast.Module, ast.FunctionDef):
        body = list(_statements(scope.body, *loop[-1:]))
        seeds = [s for s in body if any(is_title_join(c) or last_name(c) in names for c in calls_in(s))]
        if len(seeds) > best[0] and scope not in helpers:
            best = (len(seeds), _slice(body, seeds, program.functions))
    return [*helpers[:2], *best[1]]


def _slice(body: Nodes, seeds: Nodes, functions: set[str]) -> Nodes:
    """Return statements of `body` that bind or change a name of the seeds, or encode what the seeds bind."""
    data = stored_names(seeds)
    tracked = data | ({n.id for s in seeds for n in ast.walk(s) if isinstance(n, ast.Name)} - functions)
    chosen = set(seeds)
    for statement in [s for _ in range(3) for s in body if s not in chosen]:
        calls = calls_in(statement)
        stored = stored_names([statement]) | {last_name(getattr(t, "value", t)) for t in targets(statement)}
        given = {name for c in calls for name in (last_name(getattr(c.func, "value", c.func)), *map(last_name, c.args))}
        is_changed = isinstance(statement, ast.Expr | ast.For | ast.If | ast.With) and bool(given & tracked)
        encodes = bool(names_in(statement) & data) and any(map(_ENCODES.search, map(last_name, calls)))
        if stored & tracked or is_changed or (encodes and stored):
            chosen.add(statement)
            if encodes or stored & data:
                data |= stored_names([statement])
                tracked |= data
    return [statement for statement in body if statement in chosen]
