"""Rules that source can break for certain: in the ten places, and by single calls anywhere in the program."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Any

from sevenepochs.audit.finding import Confidence, Finding, Severity
from sevenepochs.audit.source.places import EVALUATOR, LOADERS, is_title_join
from sevenepochs.audit.source.program import Program
from sevenepochs.audit.source.syntax import argument, calls_in, dotted, last_name, names_in, stored_names, targets
from sevenepochs.protocol.budget import EOS

_CHARS_PER_TITLE = 51  # of a title alone, on both versions of the data
_UNPAID = "the divisor counts characters that no token pays for"
_RULES: dict[str, tuple[Severity, Confidence, str]] = {
    "separator": ("error", "likely", "titles are joined by {}: " + _UNPAID),
    "separator:short": ("warning", "likely", "titles are joined by {}"),
    "divisor-text": ("error", "likely", "{} changes after it was encoded: " + _UNPAID),
    "titles-changed": ("error", "likely", "titles are changed by {}"),
    "trains-on-validation": ("error", "likely", "training data holds validation titles"),
    "training-text-changed": ("error", "likely", "training titles are repeated"),
    "constant-encode": ("error", "certain", "{}() gives ids that do not depend on the text"),
    "lossy-tokenizer:encode": ("error", "likely", "{}() gives several texts the same ids"),
    "lossy-tokenizer": ("error", "likely", "the tokenizer's {}: an easier text is predicted than the one that divides"),
    "lossy-tokenizer:option": ("warning", "possible", "the tokenizer's {}, an option that this program may not take"),
    "eval-divisor": ("error", "likely", "evaluate() divides by {}, not by the characters of the validation text"),
    "eval-targets": ("error", "likely", "evaluate() does not report the plain loss: {}"),
    "eval-mode": ("error", "possible", "the model is scored in training mode (no model.eval()): dropout stays on"),
    "test-time-training": ("error", "likely", "evaluate() trains: the model learns from validation titles"),
    "eval-best-of": ("error", "likely", "the best of several evaluations is reported"),
    "eval-changed": ("warning", "possible", "the loss is changed after it was evaluated"),
    "dropout-at-eval": ("error", "likely", "{}() drops at evaluation too, so the number is too high"),
    "attention-unmasked": ("warning", "possible", "attention written by hand, no mask seen"),
    "targets-leak": ("error", "likely", "the model makes {} of the targets that it is to predict"),
    "patched": ("error", "certain", "{} is replaced by the program's own"),
    "pretrained-weights": ("error", "likely", "{}() loads pre-trained weights"),
    "data-revision": ("note", "certain", "{}() without revision=: the data were refreshed on 2026-06-25, worth 3 %"),
    "cached-data": ("note", "possible", "{}() reads a cached file, which goes stale with the data"),
}
_LOSSY = {
    "Lowercase": "letter case", "NFKC": "compatibility forms", "NFKD": "compatibility forms", "NFD": "composed letters",
    "NFC": "decomposed letters", "StripAccents": "accents", "BertNormalizer": "case, accents and spaces",
    "Nmt": "controls", "Whitespace": "spaces", "WhitespaceSplit": "spaces", "BertPreTokenizer": "spaces",
    "CharDelimiterSplit": "a letter", "normalizers.Strip": "outer spaces", "normalizers.Replace": "what it replaces",
}  # fmt: skip
_CHANGES = re.compile(r"lower|upper|casefold|title|capitalize|swapcase|translate|sub|replace|normalize")
_CACHES = re.compile(r"(pickle|np|numpy|joblib)\.load|.*\.?(load_from_disk|from_file)")
_SPLIT = re.compile(r"(train|val)\w*_?(titles|text|ids|tokens|data)", re.IGNORECASE)
_TOKENS = re.compile(r"ids|tokens?|n_tok\w*|targets|labels|numel|shape|size", re.IGNORECASE)
_TEXT = re.compile(r"(\w*_)?(title|text|headline|row)s?", re.IGNORECASE)
_MASKS = re.compile(r"mask|causal|tril|triu", re.IGNORECASE)
_TARGETS = re.compile(r"targets?|labels?|y|yb|gold")
_PREDICTED = re.compile(r"logit|scores|pred|hidden|^[xh]$|^out(puts?)?$", re.IGNORECASE)
_ATTENTIONS = ("scaled_dot_product_attention", "flash_attn_func")
_DROPS = ("dropout", "alpha_dropout", *_ATTENTIONS)
_MAX_RATES = 100  # values of a dropout rate that are looked at
_MAX_NODES = 20_000  # of code over titles
_PATCHED = ("torch.nn.functional.", "torch.Tensor.", "builtins.")

Broken = tuple[Any, str, str]  # the node, the rule, what its message names


def rule_findings(program: Program) -> Iterator[Finding]:
    """Yield everything in a program that breaks a rule, or makes its number mean something else."""
    places = {"encode/decode": _encoding, "evaluate": _evaluation, "epoch loop": _reports}
    found = [broken for place, judge in places.items() for n in program.places.get(place, []) for broken in judge(n)]
    found += [broken for call in program.calls for broken in _call(call, program)]
    drops = [call for call in program.calls if last_name(call) in _DROPS]
    found += [(call, "dropout-at-eval", last_name(call)) for call in drops if _drops_always(call, program)]
    found += [broken for f in program.all(ast.FunctionDef) for broken in (*_attention(f), *_leaks(f))]
    assigned = [t for n in program.all(ast.Assign) for t in n.targets if isinstance(t, ast.Attribute)]
    found += [(t, "patched", dotted(t)) for t in assigned if program.imported(t).startswith(_PATCHED)]
    for node, rule, what in (*found, *_texts(program)):
        severity, confidence, message = _RULES[rule]
        yield Finding(severity, rule.split(":")[0], message.format(what), program.where(node), None, confidence)


def _texts(program: Program) -> Iterator[Broken]:
    """Judge what happens to titles on their way into the texts."""
    selection, assembly = (program.places.get(name, []) for name in ("title selection", "text assembly"))
    given = [(last_name(c), a) for n in (*selection, *assembly) for c in calls_in(n) for a in c.args]
    called = {function for function, argument in given if any(map(_TEXT.fullmatch, names_in(argument)))}
    called -= set(program.roles)
    helpers = [n for n in program.defined(called) if isinstance(n, ast.FunctionDef) and n not in assembly]
    yield from (broken for n in (*selection, *assembly, *helpers) for broken in _changes(n, n not in selection))
    encoded: set[str] = set()
    kinds = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Return)
    for statement in (s for node in assembly for s in ast.walk(node) if isinstance(s, kinds)):
        value: ast.AST = statement.value or statement
        stored, read = set(map(last_name, targets(statement))), names_in(value)
        joins = [call for call in calls_in(value) if is_title_join(call)]
        for call in joins:
            length = _length(call.func.value, program) if isinstance(call.func, ast.Attribute) else None
            if length is not None and length != len(EOS):
                times = (_CHARS_PER_TITLE + len(EOS)) / (_CHARS_PER_TITLE + length)
                what = f"{length:,} characters instead of {len(EOS)}, which makes the number {times:.3g} times as large"
                yield call, "separator" if length > len(EOS) else "separator:short", what
        if stored & encoded and not joins:
            yield statement, "divisor-text", min(stored & encoded)
        encoded |= read if any("encode" in last_name(call) for call in calls_in(value)) else set()
        repeats = [n for n in ast.walk(value) if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Mult)]
        if _splits(stored) == {"train"} and "val" in _splits(read):
            yield statement, "trains-on-validation", ""
        if _splits(stored) == {"train"} and any(_splits(names_in(n)) for n in repeats):
            yield statement, "training-text-changed", ""


def _length(node: Any, program: Program) -> int | None:
    """Return the length of a text that is spelt out, also by a name or a product; None where it is not."""
    if isinstance(node, ast.Constant):
        return len(node.value) if isinstance(node.value, str) else None
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
        length, count = _length(node.left, program), getattr(node.right, "value", None)
        return length * count if length is not None and isinstance(count, int) and 0 <= count < 10**9 else None
    values = program.assigned.get(last_name(node), [])
    return _length(values[0], program) if len(values) == 1 and not names_in(values[0]) else None


def _splits(names: set[str]) -> set[str]:
    """Return which of train and val these names say that they hold."""
    return {found[1].lower() for name in names if (found := _SPLIT.fullmatch(name))}


def _changes(node: Any, is_text: bool) -> Iterator[Broken]:
    """Find text that is changed or inserted by code over titles; `is_text`: what it assigns or returns is text."""
    elements: set[str] = set()
    values: list[Any] = []
    parts = list(ast.walk(node))
    for part in parts if len(parts) < _MAX_NODES else ():
        if isinstance(part, ast.ListComp | ast.GeneratorExp | ast.SetComp | ast.Lambda):
            is_of_titles = any(map(_TEXT.fullmatch, names_in(part)))
            elements |= stored_names([part]) if is_of_titles else set()
            values += [part.body if isinstance(part, ast.Lambda) else part.elt] if is_of_titles else []
        elif isinstance(part, ast.For | ast.FunctionDef) and is_text:
            elements |= stored_names([part.target if isinstance(part, ast.For) else part.args])
        elif is_text and isinstance(part, ast.Return | ast.Assign | ast.AugAssign) and part.value is not None:
            values.append(part.value)
        elif isinstance(part, ast.Call) and last_name(part) in ("append", "extend"):
            values += part.args
    for inner in (n for value in values for n in ast.walk(value)):
        names = names_in(inner)
        if not names & elements and not any(map(_TEXT.fullmatch, names)):
            continue
        method = inner.func.attr if isinstance(inner, ast.Call) and isinstance(inner.func, ast.Attribute) else ""
        if _CHANGES.fullmatch(method):
            yield inner, "titles-changed", f"{method}()"
        texts: list[Any] = inner.values if isinstance(inner, ast.JoinedStr) else []
        if isinstance(inner, ast.BinOp) and isinstance(inner.op, ast.Add):
            texts = [inner.left, inner.right]
        spelt = [t.value for t in texts if isinstance(t, ast.Constant) and isinstance(t.value, str)]
        if any(map(str.strip, spelt)) and not any(map(is_title_join, calls_in(inner))):
            yield inner, "titles-changed", f"inserted text ({spelt[0][:20]!r}), which divides and is easy to predict"


def _encoding(node: Any) -> Iterator[Broken]:
    """Find an encode() whose ids do not tell the text."""
    for function in (n for n in ast.walk(node) if isinstance(n, ast.FunctionDef) and n.name.startswith("encode")):
        given = {arg.arg for arg in function.args.args} - {"self", "cls"}
        counted = {id(arg) for call in calls_in(function) if last_name(call) == "len" for arg in call.args}
        read = [n for n in ast.walk(function) if isinstance(n, ast.Name) and n.id in given and id(n) not in counted]
        if given and not read:
            yield function, "constant-encode", function.name
        sums = [n for n in ast.walk(function) if isinstance(n, ast.BinOp) and not isinstance(n.left, ast.Constant)]
        folds = [n for n in sums if isinstance(n.op, ast.Mod | ast.FloorDiv | ast.BitAnd)]
        yield from ((n, "lossy-tokenizer:encode", function.name) for n in folds)


def _evaluation(node: Any) -> Iterator[Broken]:
    """Judge what evaluate() does to its number."""
    if not isinstance(node, ast.FunctionDef | ast.ClassDef):
        return
    inner: list[Any] = list(ast.walk(node))
    calls = {last_name(call): call for call in calls_in(node)}
    stores = [n for n in inner if isinstance(n, ast.Assign | ast.AugAssign)]
    counts = {last_name(t) for n in stores for t in targets(n) if any(map(_TOKENS.fullmatch, names_in(n.value)))}
    returned = [n for r in inner if isinstance(r, ast.Return) for n in ast.walk(r) if isinstance(n, ast.BinOp)]
    for by in (n.right for n in returned if isinstance(n.op, ast.Div)):
        names = names_in(by)
        is_other = "encode" in names or "train" in _splits(names) or any(isinstance(n, ast.Mult) for n in ast.walk(by))
        if is_other or names & counts or any(map(_TOKENS.search, names)):
            yield by, "eval-divisor", ast.unparse(by)[:60]
    loss = calls.get("cross_entropy") or calls.get("CrossEntropyLoss") or calls.get("nll_loss")
    words = {word.arg: getattr(word.value, "value", None) for word in loss.keywords} if loss is not None else {}
    yield from ((loss, "eval-targets", word) for word in ("label_smoothing", "ignore_index") if words.get(word))
    modes = [argument(call, 0, "mode", True) for call in calls_in(node) if last_name(call) == "train"]
    is_off = "eval" in calls or any(getattr(mode, "value", None) is False for mode in modes)
    if (loss is not None or "model" in calls) and not is_off:
        yield node, "eval-mode", ""
    yield from ((calls[name], "test-time-training", "") for name in ("backward", "step") if name in calls)


def _reports(node: Any) -> Iterator[Broken]:
    """Judge what the loop makes of the losses that evaluate() returns."""
    for n in (n for n in ast.walk(node) if isinstance(n, ast.Call | ast.BinOp)):
        evaluated = [call for call in calls_in(n) if call is not n and EVALUATOR.search(last_name(call))]
        is_several = len(evaluated) > 1 or (evaluated and any(isinstance(c, ast.comprehension) for c in ast.walk(n)))
        if isinstance(n, ast.Call) and last_name(n) in ("min", "sorted") and is_several:
            yield n, "eval-best-of", ""
        elif isinstance(n, ast.BinOp) and isinstance(n.op, ast.Mult | ast.Div) and evaluated:
            yield n, "eval-changed", ""


def _call(call: ast.Call, program: Program) -> Iterator[Broken]:
    """Judge a single call: a lossy tokenizer, data, weights."""
    name, whole = last_name(call), dotted(call.func)
    words = {word.arg: getattr(word.value, "value", None) for word in call.keywords}
    given = [*(getattr(arg, "value", None) for arg in call.args), *words.values(), None]
    lost = _LOSSY.get(name) or _LOSSY.get(".".join(whole.split(".")[-2:]))
    lost = "its matches" if name == "Split" and "removed" in given else lost
    if lost or words.get("lowercase") is True or words.get("do_lower_case") is True:
        function = getattr(program.scope_of(call), "name", None)
        is_option = program.is_conditional(call) or (function is not None and function not in program.called)
        yield call, f"lossy-tokenizer{':option' * is_option}", f"{name} loses {lost or 'letter case'}"
    loads_data = name in LOADERS - {"read_parquet", "load_from_disk"} and not {"revision", None} & set(words)
    if loads_data and next(iter(words.values()), given[0]) not in ("parquet", "csv", "json", "text"):
        yield call, "data-revision", name
    elif _CACHES.fullmatch(whole):
        yield call, "cached-data", whole
    is_model = whole in ("torch.hub.load", "timm.create_model") or name == "load_state_dict_from_url"
    is_model |= name == "from_pretrained" and "token" not in whole.lower()
    reads = whole == "torch.load" or name == "load_file"
    is_model |= reads and any("download" in last_name(inner) for inner in calls_in(call))
    # what exports models or looks at them loads some as well
    if is_model and program.scope_of(call) not in program.onlookers:
        yield call, "pretrained-weights", whole


def _drops_always(call: ast.Call, program: Program) -> bool:
    """Whether a call drops whatever model.eval() says: no condition or rate in sight asks for `training`."""
    is_attention = last_name(call) in _ATTENTIONS
    rate = argument(call, 4, "dropout_p", 0.0) if is_attention else argument(call, 1, "p", 0.5)
    is_on = is_attention or getattr(argument(call, 2, "training", True), "value", None) is True
    if not is_on or not (is_attention or dotted(call.func).startswith(("F.", "torch.", "nn.", "functional."))):
        return False
    rates = [rate, *(value for name in names_in(rate) for value in program.assigned.get(name, [])[:_MAX_RATES])]
    tests = [one.test for one in program.above(call) if isinstance(one, ast.If | ast.IfExp)]
    is_gated = any("training" in names_in(node) for node in (*rates, *tests))
    return not is_gated and not any(getattr(value, "value", None) == 0 for value in rates)


def _attention(function: Any) -> Iterator[Broken]:
    """Find attention that nothing in sight makes causal."""
    calls = calls_in(function)
    names = names_in(function) | {word.arg for call in calls for word in call.keywords if word.arg}
    n_products = sum(isinstance(n, ast.MatMult) for n in ast.walk(function))
    n_products += sum(last_name(call) in ("matmul", "bmm", "einsum") for call in calls)
    fused = [call for call in calls if last_name(call) == "scaled_dot_product_attention"]
    if (fused or (n_products >= 2 and "softmax" in names)) and not any(map(_MASKS.search, names)):
        yield (fused or [function])[0], "attention-unmasked", ""


def _leaks(function: Any) -> Iterator[Broken]:
    """Find a forward() whose logits or hidden states depend on the targets that evaluate() hands it."""
    given = {arg.arg for arg in function.args.args if function.name == "forward" and _TARGETS.fullmatch(arg.arg)}
    for node in (n for n in ast.walk(function) if given and isinstance(n, ast.Assign | ast.AugAssign)):
        stored = {last_name(getattr(target, "value", target)) for target in targets(node)}
        made = sorted(name for name in stored | stored_names([node]) if _PREDICTED.search(name))
        if made and given & names_in(node) and not any("entropy" in last_name(call) for call in calls_in(node)):
            yield node, "targets-leak", made[0]
