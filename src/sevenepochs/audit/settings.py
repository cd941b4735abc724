"""The settings that a run of a program would really use: code, the files that it reads, the commands that start it."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sevenepochs.audit.finding import Finding
from sevenepochs.audit.source.normal import dotted, last_name
from sevenepochs.audit.source.program import Nodes, Program, calls_in, targets
from sevenepochs.protocol.budget import EPOCHS, NUM_TITLES, OFFICIAL_SEED, VAL_FRACTION

ROLES = {
    "epochs": re.compile(r"(n_?|num_?|max_?|total_?|train_?|training_?)?epochs"),
    "seed": re.compile(r"(random_?|rng_?|global_?|data_?)?seed"),
    "titles": re.compile(r"(n_?|num_?|max_?|total_?)titles"),
    "validation fraction": re.compile(r"val(idation)?_?(frac(tion)?|ratio|split|pct|share|size)"),
    "batch": re.compile(r"batch_?size"),
    "block": re.compile(r"block_?size|context_?(length|size)|seq_?len(gth)?"),
    "vocabulary": re.compile(r"vocab_?size"),
    "evaluations per epoch": re.compile(r"evals_per_epoch"),
}
FIXED = {"epochs": EPOCHS, "seed": OFFICIAL_SEED, "titles": NUM_TITLES, "validation fraction": VAL_FRACTION}
_RULES = dict(zip(FIXED, ("fixed-epochs", "fixed-seed", "fixed-titles", "fixed-val-frac"), strict=True))
_LINE = re.compile(r"""["']?([A-Za-z_]\w{2,40})["']?[ \t]*[:=][ \t]*["']?([\w.+-]{1,40})""")
_OPTION = re.compile(r"(?:--)?([A-Za-z][\w.-]{2,40})[= ]([\d._e-]{1,20})(?![\w.])")
_HOLDERS = re.compile(r"(hyper_?)?(args?|params?|hp|hparams|cfg|conf(ig)?|opts?|options|settings)", re.IGNORECASE)
_LOSSY_NAME = re.compile(
    r"(text_|tokenizer_)?normali[sz](er|ation)(_type)?|pre_?tokenizer(_type)?|(do_)?lower_?case\w*", re.IGNORECASE
)
_LOSSY_VALUE = re.compile(r"lower|nf[kd]|strip_?accents|bert|^whitespace(_?split)?$", re.IGNORECASE)
_MAX_LINES, _MAX_COLUMNS = 20_000, 2_000
_LARGEST = 1e15


def loses_text(name: str, value: object) -> bool:
    """Whether `name = value`, in a log or a file, asks for a tokenizer that does not give the text back."""
    shown = name if value is True else str(value)
    return _LOSSY_NAME.fullmatch(name) is not None and _LOSSY_VALUE.search(shown) is not None


@dataclass(frozen=True)
class Setting:
    """One value of a setting, and whether code, a file or a command gives it."""

    role: str
    value: float
    where: str
    layer: str

    def __str__(self) -> str:
        return f"{self.value:g} ({self.where})"


def settings_holder(program: Program) -> Nodes:
    """The class, dictionary or arguments that hold most of the settings, two at least."""
    best: tuple[int, Nodes] = (1, [])
    for node in program.all(ast.ClassDef, ast.Dict, ast.FunctionDef):
        if isinstance(node, ast.Dict):
            names = {str(getattr(key, "value", "")) for key in node.keys}
        elif isinstance(node, ast.ClassDef):
            names = {last_name(target) for item in node.body for target in targets(item)}
        else:
            names = {_option_name(call) for call in calls_in(node) if last_name(call) == "add_argument"}
        count = sum(any(role.fullmatch(name.lower()) for name in names) for role in ROLES.values())
        best = (count, [node]) if count > best[0] else best
    return best[1]


def _option_name(call: ast.Call) -> str:
    """The name that an add_argument() gives its value."""
    return str(getattr(next(reversed(call.args), None), "value", "")).lstrip("-").replace("-", "_")


def settings_of(program: Program) -> list[Setting]:
    """Every value that the program, the files that it names and the commands that start it give to a setting."""
    inside = [("code", name, _number(value, program), program.where(node)) for name, value, node in _in_code(program)]
    outside = [(layer, name, _parsed(value), where) for layer, name, value, where in _outside(program)]
    found = [(_role(name), value, where, layer) for layer, name, value, where in (*inside, *outside)]
    return list(dict.fromkeys(Setting(r, v, where, layer) for r, v, where, layer in found if r and v is not None))


def _role(name: str) -> str | None:
    return next((role for role, pattern in ROLES.items() if pattern.fullmatch(name.lower())), None)


def _in_code(program: Program) -> Iterator[tuple[str, Any, Any]]:
    """(name, value, line's node) of settings in the order in which they would be taken: defaults first."""
    holders = program.places.get("settings", [])
    fields = [
        (last_name(t), item.value, item) for h in holders for item in getattr(h, "body", []) for t in targets(item)
    ]
    dicts = [h for h in holders if isinstance(h, ast.Dict)]
    fields += [(str(getattr(k, "value", "")), v, k) for h in dicts for k, v in zip(h.keys, h.values, strict=True)]
    yield from fields
    known, classes = {_role(name) for name, *_ in fields}, {getattr(holder, "name", None) for holder in holders}
    selection = [node for node in program.places.get("title selection", []) if isinstance(node, ast.FunctionDef)]
    scopes = [*program.trees, *map(program.scope_of, program.places.get("epoch loop", [])[-1:])]
    for call in program.calls:
        name, words = last_name(call), {word.arg: word.value for word in call.keywords if word.arg}
        if name == "add_argument" and "default" in words:
            words = {_option_name(call): words["default"]}
        elif any(name == one.name for one in selection):
            words |= zip([arg.arg for arg in selection[0].args.args], call.args, strict=False)
        elif dotted(call.func) == "torch.manual_seed" and call.args:
            words = {"seed": call.args[0]}
        elif name not in classes and name not in ("replace", "shuffle"):
            continue
        yield from ((word, value, call) for word, value in words.items())
    for node in program.all(ast.Assign, ast.AnnAssign):
        for target in targets(node):
            if isinstance(target, ast.Attribute) and _HOLDERS.fullmatch(last_name(target.value)):
                yield target.attr, node.value, node
            elif isinstance(target, ast.Name) and _role(target.id) not in known and program.parents[node] in scopes:
                yield target.id, node.value, node


def _outside(program: Program) -> Iterator[tuple[str, str, str, str]]:
    """(layer, name, value, where) of commands that start the entry, and of files that they or the code name."""
    source, file_name = program.source, program.entry.rsplit("/", 1)[-1]
    words = {n.value for n in program.all(ast.Constant) if isinstance(n.value, str) and len(n.value) < 200}
    words |= {f"{getattr(n.value, 'value', '')}.yaml" for n in program.all(ast.keyword) if n.arg == "config_name"}
    for script, text in source.scripts.items():
        for number, line in enumerate(text.replace("\\\n", " ").splitlines()[:_MAX_LINES], start=1):
            command = line.partition(file_name)[2][:_MAX_COLUMNS]
            words |= set(command.replace("=", " ").split())
            for option in _OPTION.finditer(command):
                yield "command", option[1].rsplit(".", 1)[-1].replace("-", "_"), option[2], f"{script}:{number}"
    named = {word.rsplit("/", 1)[-1] for word in words}
    for path in [path for path in source.settings if path.rsplit("/", 1)[-1] in named]:
        for number, line in enumerate(source.settings[path].splitlines()[:_MAX_LINES], start=1):
            for name, value in _LINE.findall(line[:_MAX_COLUMNS].split("#")[0]):
                yield "file", name, value, f"{path}:{number}"


def setting_findings(program: Program, settings: list[Setting]) -> Iterator[Finding]:
    """Fixed settings that are not what the rules fix, and settings that lose text."""
    for role, fixed in FIXED.items():
        own = [setting for setting in settings if setting.role == role]
        wrong = [setting for setting in own if abs(setting.value - fixed) > 1e-9]
        if not wrong:
            continue
        # a file may override code and a command either, so where several speak none is certain to count
        is_open = any(s.layer == "file" for s in own) or (
            wrong[0].layer == "code" and any(s.layer != "code" for s in own)
        )
        message = f"{role}: {', '.join(map(str, wrong[:5]))}; the rules fix {fixed:g}"
        if is_open:
            message += f"; given in several places, none of which is certain to count: {', '.join(map(str, own[:6]))}"
        yield Finding(
            "warning" if is_open else "error",
            _RULES[role],
            message,
            wrong[0].where,
            None,
            "possible" if is_open else "likely",
        )
    for layer, name, value, where in _outside(program):
        if layer == "file" and loses_text(name, True if value.lower() == "true" else value):
            message = f"{name} is {value}: a tokenizer that loses text, where this file is used"
            yield Finding("error", "lossy-tokenizer", message, where, None, "likely")


def _number(node: Any, program: Program) -> float | None:
    """A literal number, also as a product, quotient or power of literals, or the constant that a name stands for."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        return float(node.value) if abs(node.value) < _LARGEST else None
    if isinstance(node, ast.BinOp):
        left, right = _number(node.left, program), _number(node.right, program)
        if left is None or right is None:
            return None
        if isinstance(node.op, ast.Pow):
            return left**right if 1 <= left <= 10 and 0 <= right <= 12 else None
        is_product = isinstance(node.op, ast.Mult)
        result = left * right if is_product else left / right if right and isinstance(node.op, ast.Div) else math.inf
        return result if abs(result) < _LARGEST else None
    if isinstance(node, ast.Call) and last_name(node) in ("field", "Field", "int", "float"):
        given = [word.value for word in node.keywords if word.arg == "default"] or node.args[:1]
        return _number(given[0], program) if given else None
    if isinstance(node, ast.Name):
        values = [v for v in program.assigned.get(node.id, []) if program.parents[program.parents[v]] in program.trees]
        is_literal = len(values) == 1 and not any(isinstance(n, ast.Name) for n in ast.walk(values[0]))
        return _number(values[0], program) if is_literal else None
    return None


def _parsed(text: str) -> float | None:
    try:
        value = float(text.replace("_", ""))
    except ValueError:
        return None
    return value if abs(value) < _LARGEST else None
