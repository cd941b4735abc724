"""The settings that a run of a program would really use: code, the files that it reads, the commands that start it."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from sevenepochs.audit.finding import Finding
from sevenepochs.audit.log import number
from sevenepochs.audit.source.program import Nodes, Program
from sevenepochs.audit.source.syntax import calls_in, dotted, last_name, targets
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
_FIXED = {
    "epochs": ("fixed-epochs", EPOCHS),
    "seed": ("fixed-seed", OFFICIAL_SEED),
    "titles": ("fixed-titles", NUM_TITLES),
    "validation fraction": ("fixed-val-frac", VAL_FRACTION),
}
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
    """Return the class, dictionary or function with arguments that holds most of the settings, two at least."""
    best: tuple[int, Nodes] = (1, [])
    for node in program.all(ast.ClassDef, ast.Dict, ast.FunctionDef):
        if isinstance(node, ast.FunctionDef):
            names = {_option_name(call) for call in calls_in(node) if last_name(call) == "add_argument"}
        else:
            names = {name for name, *_ in _fields(node)}
        n_roles = len({_role(name) for name in names} - {None})
        best = (n_roles, [node]) if n_roles > best[0] else best
    return best[1]


def _fields(holder: Any) -> list[tuple[str, Any, Any]]:
    """Return (name, value, line's node) of what a dictionary, or the body of a class or function, sets."""
    if isinstance(holder, ast.Dict):
        return [(str(getattr(k, "value", "")), v, k or v) for k, v in zip(holder.keys, holder.values, strict=True)]
    return [(last_name(t), getattr(item, "value", None), item) for item in holder.body for t in targets(item)]


def _option_name(call: ast.Call) -> str:
    """Return the name that an add_argument() gives its value."""
    return str(getattr(next(reversed(call.args), None), "value", "")).lstrip("-").replace("-", "_")


def settings_of(program: Program) -> list[Setting]:
    """Return every value that the program, the files that it names and the commands that start it give to a setting."""
    found = [("code", name, _number(value, program), program.where(node)) for name, value, node in _in_code(program)]
    found += [(layer, name, _bounded(value), where) for layer, name, value, where in _outside(program)]
    named = [(_role(name), value, where, layer) for layer, name, value, where in found]
    return list(dict.fromkeys(Setting(r, v, where, layer) for r, v, where, layer in named if r and v is not None))


def _role(name: str) -> str | None:
    return next((role for role, pattern in ROLES.items() if pattern.fullmatch(name.lower())), None)


def _in_code(program: Program) -> Iterator[tuple[str, Any, Any]]:
    """Yield (name, value, line's node) of settings in the order in which they would be taken: defaults first."""
    holders = program.places.get("settings", [])[:1]
    fields = [field for holder in holders for field in _fields(holder)]
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
    """Yield (layer, name, value, where) of commands that start the entry, and of files that they or the code name."""
    source, file_name = program.source, program.entry.rsplit("/", 1)[-1]
    words = {n.value for n in program.all(ast.Constant) if isinstance(n.value, str) and len(n.value) < 200}
    words |= {f"{getattr(n.value, 'value', '')}.yaml" for n in program.all(ast.keyword) if n.arg == "config_name"}
    for script, text in source.scripts.items():
        for at, line in enumerate(text.replace("\\\n", " ").splitlines()[:_MAX_LINES], start=1):
            command = line.partition(file_name)[2][:_MAX_COLUMNS]
            words |= set(command.replace("=", " ").split())
            for option in _OPTION.finditer(command):
                yield "command", option[1].rsplit(".", 1)[-1].replace("-", "_"), option[2], f"{script}:{at}"
    named = {word.rsplit("/", 1)[-1] for word in words}
    for path in [path for path in source.settings if path.rsplit("/", 1)[-1] in named]:
        for at, line in enumerate(source.settings[path].splitlines()[:_MAX_LINES], start=1):
            for name, value in _LINE.findall(line[:_MAX_COLUMNS].split("#")[0]):
                yield "file", name, value, f"{path}:{at}"


def setting_findings(program: Program, settings: list[Setting]) -> Iterator[Finding]:
    """Yield fixed settings that are not what the rules fix, and settings that lose text."""
    for role, (rule, fixed) in _FIXED.items():
        own = [setting for setting in settings if setting.role == role]
        wrong = [setting for setting in own if abs(setting.value - fixed) > 1e-9]
        if not wrong:
            continue
        message = f"{role}: {', '.join(map(str, wrong[:5]))}; the rules fix {fixed:g}"
        finding, layers = Finding("error", rule, message, wrong[0].where, None, "likely"), {one.layer for one in own}
        # a file may override code and a command either, so where several speak none is certain to count
        if "file" in layers or (wrong[0].layer == "code" and layers != {"code"}):
            message += f"; given in several places, none of which is certain to count: {', '.join(map(str, own[:6]))}"
            finding = replace(finding, severity="warning", message=message, confidence="possible")
        yield finding
    for layer, name, value, where in _outside(program):
        if layer == "file" and loses_text(name, True if value.lower() == "true" else value):
            message = f"{name} is {value}: a tokenizer that loses text, where this file is used"
            yield Finding("error", "lossy-tokenizer", message, where, None, "likely")


def _number(node: Any, program: Program) -> float | None:
    """Return a literal number, a product, quotient or power of such, or the constant that a name stands for."""
    if isinstance(node, ast.Constant) and not isinstance(node.value, str):
        return _bounded(node.value)
    if isinstance(node, ast.BinOp):
        left, right = _number(node.left, program) or 0, _number(node.right, program) or 0
        if isinstance(node.op, ast.Pow):
            return _bounded(left**right) if 1 <= left <= 10 and 0 <= right <= 20 else None
        if isinstance(node.op, ast.Div):
            return _bounded(left / right) if right else None
        return _bounded(left * right) or None if isinstance(node.op, ast.Mult) else None
    if isinstance(node, ast.Call) and last_name(node) in ("field", "Field", "int", "float"):
        given = [word.value for word in node.keywords if word.arg == "default"] or node.args[:1]
        return _number(given[0], program) if given else None
    if isinstance(node, ast.Name):
        values = [v for v in program.assigned.get(node.id, []) if program.parents[program.parents[v]] in program.trees]
        is_literal = len(values) == 1 and not any(isinstance(n, ast.Name) for n in ast.walk(values[0]))
        return _number(values[0], program) if is_literal else None
    return None


def _bounded(value: Any) -> float | None:
    found = number(value.replace("_", "") if isinstance(value, str) else value)
    return found if found is not None and abs(found) < _LARGEST else None
