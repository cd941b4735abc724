"""Rules that single lines of source can break: fixed settings, lossy tokenizers, dropout, pinned data, weights."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import replace

from sevenepochs.audit.finding import Finding
from sevenepochs.audit.lossy_settings import loses_text
from sevenepochs.audit.source_tree import SourceTree

_KEYS = {
    "fixed-epochs": (r"(n_?|num_?|max_?|total_?|train_?|training_?)?epochs", 7),
    "fixed-seed": (r"(random_?|rng_?|global_?|data_?)?seed", 1337),
    "fixed-titles": (r"(n_?|num_?|max_?|total_?)titles", 100_000),
    "fixed-val-frac": (r"val(idation)?_?(frac(tion)?|ratio|split|pct|share|size)", 0.10),
}
_RULES = {rule: (re.compile(pattern, re.IGNORECASE), value) for rule, (pattern, value) in _KEYS.items()}
_CONFIG_LINE = re.compile(
    r"""["']?([A-Za-z_]{4,24})["']?\s*[:=]\s*(-?[0-9][0-9_.]{0,20}(?:e-?[0-9]{1,3})?)\s*(?=[,}\s#]|$)"""
)
_WORD_LINE = re.compile(r"""^[\s{]*["']?(\w{3,40})["']?\s*[:=]\s*["']?(\w{1,40})""")
_SETTINGS_READERS = frozenset({"yaml", "omegaconf", "hydra", "tomllib", "toml"})
_LOSSY = {
    "Lowercase": "letter case", "NFKC": "compatibility forms", "NFKD": "compatibility forms", "NFD": "composed letters",
    "NFC": "decomposed letters", "StripAccents": "accents", "BertNormalizer": "case, accents and spaces",
    "Nmt": "controls", "Strip": "outer spaces",
}  # fmt: skip
_SPACELESS = frozenset({"Whitespace", "WhitespaceSplit", "BertPreTokenizer", "CharDelimiterSplit"})
_LOADERS = frozenset({"load_dataset", "hf_hub_download", "snapshot_download", "load_dataset_builder", "dataset_info"})
_CACHES = frozenset({"from_file", "load_from_disk"})


def check_files(
    source: SourceTree, paths: list[str], lines_read: set[tuple[str, int]] | None = None
) -> Iterator[Finding]:
    """Every rule that a line of these files breaks, and the settings in the config files beside them.

    Where the program could be followed to its report, `lines_read` are the statements that it got to: a tokenizer that
    is built in none of them is an option that this program does not take.
    """
    strings: set[str] = set()
    given: set[str | None] = set()
    saves = outside = False
    for path in paths:
        nodes = list(ast.walk(source.files[path].tree))
        strings |= {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
        given |= {word.arg for node in nodes if isinstance(node, ast.Call) for word in node.keywords}
        outside |= any(isinstance(node, ast.Import | ast.ImportFrom) and _reads_settings(node) for node in nodes)
        saves |= any(isinstance(node, ast.Call) and _dotted(node.func) == "torch.save" for node in nodes)
    for path in paths:
        tree = source.files[path].tree
        parents = {child: node for node in ast.walk(tree) for child in ast.iter_child_nodes(node)}
        for node in ast.walk(tree):
            where = f"{path}:{getattr(node, 'lineno', 1)}"
            yield from _settings(node, parents, where)
            if isinstance(node, ast.arguments):
                yield from _defaults(node, path, given)
            if isinstance(node, ast.Call):
                yield from _reached(_tokenizer(node, parents, where), node, parents, path, lines_read, outside)
                yield from _dropout(node, parents, where)
                yield from _sources(node, where, saves)
    yield from _configs(source, strings)


def _reached(
    findings: Iterator[Finding],
    node: ast.Call,
    parents: dict[ast.AST, ast.AST],
    path: str,
    lines_read: set[tuple[str, int]] | None,
    outside: bool,
) -> Iterator[Finding]:
    """Findings that count in full only if the program gets to this call."""
    for finding in findings:
        statement = next((above for above in _above(node, parents) if isinstance(above, ast.stmt)), None)
        if lines_read is None or statement is None or (path, statement.lineno) in lines_read:
            # under a condition that nothing here decides, it may be what was run and may be not
            doubtful = finding.confidence == "possible"
            yield replace(finding, severity="warning") if doubtful else finding
        elif outside:
            message = f"{finding.message}; the settings that the program reads may choose this"
            yield replace(finding, severity="warning", message=message, confidence="possible")
        else:
            message = f"{finding.message}; the program as it stands does not get here"
            yield replace(finding, severity="note", message=message, confidence="possible")


def _reads_settings(node: ast.Import | ast.ImportFrom) -> bool:
    modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
    return any(module.split(".")[0] in _SETTINGS_READERS for module in modules)


def _setting(name: str, value: object, where: str, severity: str = "error", sure: str = "certain") -> Iterator[Finding]:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return
    for rule, (pattern, fixed) in _RULES.items():
        if pattern.fullmatch(name) and abs(value - fixed) > 1e-9:
            effect = f"{value / fixed:.3g} times the allowed epochs" if rule == "fixed-epochs" and value > 0 else None
            message = (
                f"{name} is {value:,}; the rules fix {fixed:,}"
                if rule != "fixed-seed"
                else f"{name} is {value}; the rules fix {fixed}"
            )
            yield Finding(severity, rule, message, where, effect, sure)  # type: ignore[arg-type]


def _settings(node: ast.AST, parents: dict[ast.AST, ast.AST], where: str) -> Iterator[Finding]:
    if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        value, constant = _number(node.value), isinstance(parents.get(node), ast.Module | ast.ClassDef)
        for target in targets:
            if isinstance(target, ast.Attribute):
                yield from _setting(target.attr, value, where, sure="likely")
            elif isinstance(target, ast.Name):
                yield from _setting(target.id, value, where, sure="certain" if constant else "likely")
    elif isinstance(node, ast.Call):
        name = _dotted(node.func).rsplit(".", 1)[-1]
        words = {word.arg: word.value for word in node.keywords if word.arg}
        if name == "add_argument" and node.args and "default" in words:
            option = str(getattr(node.args[-1], "value", "")).lstrip("-").replace("-", "_")
            yield from _setting(option, _number(words["default"]), where)
        elif name == "manual_seed" and _dotted(node.func) == "torch.manual_seed" and node.args:
            yield from _setting("seed", _number(node.args[0]), where, "warning", "likely")
        elif re.search("hyper|config|args|param|settings|replace|main|train|Namespace", name, re.IGNORECASE):
            for key, item in words.items():
                yield from _setting(key, _number(item), where, sure="likely")
    elif isinstance(node, ast.Dict):
        for key_node, item in zip(node.keys, node.values, strict=True):
            if isinstance(key_node, ast.Constant) and isinstance(key_node.value, str):
                yield from _setting(key_node.value, _number(item), where, "warning", "possible")


def _defaults(node: ast.arguments, path: str, given: set[str | None]) -> Iterator[Finding]:
    """Defaults of parameters, unless some call gives them."""
    named = [arg.arg for arg in (*node.posonlyargs, *node.args)]
    pairs = list(zip(named[len(named) - len(node.defaults) :], node.defaults, strict=True))
    pairs += [(arg.arg, item) for arg, item in zip(node.kwonlyargs, node.kw_defaults, strict=True) if item]
    for key, item in pairs:
        severity = "note" if key in given else "warning"
        yield from _setting(key, _number(item), f"{path}:{item.lineno}", severity, "possible")


def _configs(source: SourceTree, strings: set[str]) -> Iterator[Finding]:
    for path, text in source.configs.items():
        name = path.rsplit("/", 1)[-1]
        used = any(name in string or path in string for string in strings)
        for number, line in enumerate(text.splitlines()[:20_000], start=1):
            severity, sure = ("error", "likely") if used else ("note", "possible")
            word = _WORD_LINE.match(line[:2_000])
            if word and loses_text(word[1], True if word[2] in ("true", "True") else word[2]):
                message = f"{word[1]} is {word[2]}: a tokenizer that loses text"
                yield Finding(severity, "lossy-tokenizer", message, f"{path}:{number}", None, sure)  # type: ignore[arg-type]
            for match in _CONFIG_LINE.finditer(line[:2_000].split("#")[0]):
                try:
                    value = float(match[2].replace("_", ""))
                except ValueError:
                    continue
                value = int(value) if value.is_integer() else value
                yield from _setting(match[1], value, f"{path}:{number}", severity, sure)


def _tokenizer(node: ast.Call, parents: dict[ast.AST, ast.AST], where: str) -> Iterator[Finding]:
    dotted = _dotted(node.func)
    name = dotted.rsplit(".", 1)[-1]
    sure = "possible" if _under(node, ast.If, parents) else "likely"
    if (name in _LOSSY and (name != "Strip" or "normalizers" in dotted)) or dotted.endswith("normalizers.Replace"):
        what = _LOSSY.get(name, "what it replaces")
        message = f"the tokenizer's {name} loses {what}: the model predicts an easier text than the one that divides"
        effect = (
            "lower-casing alone measured about -0.1 (1.263 to 1.166 in a public run)" if name == "Lowercase" else None
        )
        yield Finding("error", "lossy-tokenizer", message, where, effect, sure)  # type: ignore[arg-type]
    elif name in _SPACELESS:
        message = f"the pre-tokenizer {name} drops spaces: they are never predicted but divide"
        yield Finding("error", "lossy-tokenizer", message, where, None, sure)  # type: ignore[arg-type]
    elif name == "Split" and any(isinstance(n, ast.Constant) and n.value == "removed" for n in ast.walk(node)):
        yield Finding("error", "lossy-tokenizer", "the pre-tokenizer Split removes its matches", where, None, sure)  # type: ignore[arg-type]
    words = {word.arg: word.value for word in node.keywords if word.arg}
    lowercase = words.get("lowercase", words.get("do_lower_case"))
    if isinstance(lowercase, ast.Constant) and lowercase.value is True and name not in _LOSSY:
        yield Finding("error", "lossy-tokenizer", f"{name}() lower-cases", where, None, sure)  # type: ignore[arg-type]


def _dropout(node: ast.Call, parents: dict[ast.AST, ast.AST], where: str) -> Iterator[Finding]:
    dotted = _dotted(node.func)
    name = dotted.rsplit(".", 1)[-1]
    words = {word.arg: word.value for word in node.keywords if word.arg}
    gated = any(
        isinstance(parent, ast.If | ast.IfExp) and "training" in _names(parent.test) for parent in _above(node, parents)
    )
    sure = "possible" if _under(node, ast.If, parents) else "likely"
    if name in ("dropout", "dropout1d", "dropout2d", "alpha_dropout") and _functional(dotted) and len(node.args) < 3:
        training = words.get("training")
        rate = words.get("p", node.args[1] if len(node.args) > 1 else None)
        always = training is None or (isinstance(training, ast.Constant) and training.value is True)
        if always and not gated and _number(rate) != 0 and not (rate is not None and _gated(rate, node, parents)):
            message = f"{dotted}() without training=self.training drops at evaluation too"
            yield Finding("error", "dropout-at-eval", message, where, "the figure is too high", sure)  # type: ignore[arg-type]
    if name in ("scaled_dot_product_attention", "flash_attn_func"):
        rate = words.get("dropout_p", node.args[4] if len(node.args) > 4 else None)
        if rate is not None and _number(rate) != 0 and not gated and not _gated(rate, node, parents):
            message = f"{name}(dropout_p=...) ignores model.eval(): attention drops at evaluation too"
            yield Finding("error", "dropout-at-eval", message, where, "the figure is too high", sure)  # type: ignore[arg-type]


def _gated(rate: ast.expr, node: ast.AST, parents: dict[ast.AST, ast.AST]) -> bool:
    """The rate depends on self.training, itself or through a name assigned in the same function or class."""
    if "training" in _names(rate):
        return True
    wanted = {
        n.id if isinstance(n, ast.Name) else n.attr for n in ast.walk(rate) if isinstance(n, ast.Name | ast.Attribute)
    }
    scopes = [parent for parent in _above(node, parents) if isinstance(parent, ast.FunctionDef | ast.ClassDef)]
    for child in (child for scope in scopes[:2] for child in ast.walk(scope)):
        if isinstance(child, ast.Assign | ast.AnnAssign | ast.NamedExpr) and child.value is not None:
            targets = child.targets if isinstance(child, ast.Assign) else [child.target]
            stored = any(getattr(target, "id", getattr(target, "attr", "")) in wanted for target in targets)
            if stored and ("training" in _names(child.value) or _number(child.value) == 0):
                return True
        if isinstance(child, ast.FunctionDef) and child.name in wanted and "training" in _names(child):
            return True
    return False


def _sources(node: ast.Call, where: str, saves: bool) -> Iterator[Finding]:
    dotted = _dotted(node.func)
    name = dotted.rsplit(".", 1)[-1]
    words = {word.arg for word in node.keywords}
    if name in _LOADERS and not words & {"revision", None}:
        first = node.args[0] if node.args else None
        if isinstance(first, ast.Constant) and first.value in ("parquet", "csv", "json", "text"):
            return
        message = f"{name}() without revision=: the dataset was refreshed on 2026-06-25, and the figure moved by 3 %"
        yield Finding(
            "note", "data-revision", message, where, "2026 titles read about 0.97 times the 2023 ones", "certain"
        )
    elif name in _CACHES or (dotted in ("pickle.load", "np.load", "numpy.load", "joblib.load")):
        message = f"{dotted}() reads a cached file: unless its name holds the dataset's revision it goes stale"
        yield Finding("note", "cached-data", message, where, None, "possible")
    if (
        (name == "from_pretrained" and not re.search("token", dotted, re.IGNORECASE))
        or name == "load_state_dict_from_url"
        or dotted in ("torch.hub.load", "timm.create_model", "gensim.downloader.load")
    ):
        yield Finding("error", "pretrained-weights", f"{dotted}() loads pre-trained weights", where, None, "likely")
    elif dotted in ("torch.load", "safetensors.torch.load_file") or name == "load_file":
        inner = any(isinstance(n, ast.Call) and _dotted(n.func).endswith("download") for n in ast.walk(node))
        if inner or not saves:
            message = f"{dotted}() reads weights that this program did not write"
            yield Finding(
                "error" if inner else "warning",
                "pretrained-weights",
                message,
                where,
                None,
                "likely" if inner else "possible",
            )


def _functional(dotted: str) -> bool:
    return dotted.startswith(("F.", "torch.", "nn.functional.", "functional.")) or dotted == "dropout"


def _dotted(node: ast.AST) -> str:
    parts: list[str] = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    return ".".join([node.id, *reversed(parts)] if isinstance(node, ast.Name) else ["", *reversed(parts)])


def _number(node: ast.AST | None) -> int | float | None:
    """A literal number, also one written as a product, quotient, power or negative of literals."""
    if isinstance(node, ast.Constant) and isinstance(node.value, int | float) and abs(node.value) < 1e15:
        return node.value
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = _number(node.operand)
        return None if inner is None else -inner
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Div | ast.Add | ast.Sub | ast.Pow):
        left, right = _number(node.left), _number(node.right)
        if left is None or right is None:
            return None
        if isinstance(node.op, ast.Mult):
            return left * right
        if isinstance(node.op, ast.Div):
            return left / right if right else None
        if isinstance(node.op, ast.Pow):
            return left**right if 1 <= left <= 10 and 0 <= right <= 12 else None
        return left + right if isinstance(node.op, ast.Add) else left - right
    if isinstance(node, ast.Call) and _dotted(node.func) in ("field", "dataclasses.field", "Field", "int", "float"):
        given = [word.value for word in node.keywords if word.arg == "default"] or node.args[:1]
        return _number(given[0]) if given else None
    return None


def _names(node: ast.AST) -> set[str]:
    return {
        n.id if isinstance(n, ast.Name) else n.attr for n in ast.walk(node) if isinstance(n, ast.Name | ast.Attribute)
    }


def _above(node: ast.AST, parents: dict[ast.AST, ast.AST]) -> Iterator[ast.AST]:
    while node in parents:
        node = parents[node]
        yield node


def _under(node: ast.AST, kind: type[ast.AST], parents: dict[ast.AST, ast.AST]) -> bool:
    return any(isinstance(parent, kind) for parent in _above(node, parents))
