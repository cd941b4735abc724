"""Compares what a program reports with what the protocol says it should: evaluate(), its windows, its budget.

The specification, in the words of docs: the sum over windows of batch * block + 1 validation tokens, which start every
batch * block + 1 tokens, of the cross-entropy of each window's tokens but the first, divided by the characters of the
validation titles joined by their separators. The model does not change and its dropout is off.
"""

from __future__ import annotations

import ast
from bisect import bisect_right
from collections.abc import Iterator
from itertools import pairwise

from sevenepochs.audit.finding import Finding
from sevenepochs.audit.source_machine import Machine
from sevenepochs.audit.source_scopes import EVALUATOR, Event, Function, OutOfSteps, own_nodes
from sevenepochs.audit.source_values import CHARS, ORDER_CHANGES, TITLES, TOKENS, Nats, Place

_DROPPED = frozenset({"filtered", "de-duplicated", "sampled", "skipped", "only a part of the titles"})


def read_program(machine: Machine) -> None:
    """Read the entry, and the functions that train where nothing calls them in plain sight."""
    for name in ("", "main", "train", "run"):
        try:
            if name:
                _call_by_name(machine, name)
            else:
                machine.module(machine.entry)
        except OutOfSteps as end:
            _stopped(machine, end)
            return
        if reported(machine) is not None:
            return
        machine.calls.clear()
    for path in machine.source.reachable(machine.entry):
        for node in ast.walk(machine.source.files[path].tree):
            if isinstance(node, ast.FunctionDef) and EVALUATOR.search(node.name) and _scores(node):
                try:
                    machine.run_function(Function(node, machine.module(path)), [], {})
                except OutOfSteps as end:
                    _stopped(machine, end)
                    return


def _stopped(machine: Machine, end: OutOfSteps) -> None:
    machine.unfollowed[end.place] = (
        f"the program is too long to read: reading stopped here after {machine.steps:,} steps"
    )


def _call_by_name(machine: Machine, name: str) -> None:
    function = machine.module(machine.entry).names.get(name)
    if isinstance(function, Function) and not any(event.kind == "backward" for event in machine.events):
        machine.run_function(function, [], {})


def _scores(node: ast.AST) -> bool:
    names = {getattr(child, "attr", getattr(child, "id", "")) for child in own_nodes(node)}
    return bool(names & {"cross_entropy", "CrossEntropyLoss", "nll_loss", "log_softmax", "loss"})


def reported(machine: Machine) -> tuple[Nats, Event] | None:
    """The value that the program reports as its validation loss, and the event that shows it."""
    for event in machine.events:
        if event.kind == "report" and isinstance(event.value, Nats):
            return event.value, event
    evaluated = [event for event in machine.events if event.kind == "evaluated"]
    evaluated.sort(key=lambda event: (event.value[0] != "evaluate", not EVALUATOR.search(event.value[0])))
    return (evaluated[0].value[1], evaluated[0]) if evaluated else None


def check_evaluation(machine: Machine) -> Iterator[Finding]:
    """What differs between the reported loss and the specification."""
    found = reported(machine)
    if found is None:
        message = "the reported validation loss could not be followed back to a loss over validation windows"
        yield Finding("warning", "eval-unrecognised", message, f"{machine.entry}:1", None, "possible")
        return
    loss, event = found
    name = next((e.value[0] for e in machine.events if e.kind == "evaluated" and e.value[1] is loss), None)
    place = loss.origin or (loss.divisor.origin if loss.divisor is not None else None) or event.place
    effect = _effect(loss)
    if not loss.targets_left():
        message = "no validation window fits at this batch and block size, so evaluate() prints a perfect 0"
        yield Finding("error", "no-window", message, str(place), "the number is void", "likely")
        return
    yield from _check_changes(loss, place, effect)
    yield from _check_divisor(loss, place, effect)
    yield from _check_text(machine, loss, place)
    yield from _check_windows(loss, place, effect)
    yield from _check_behaviour(machine, name)


def _effect(loss: Nats) -> str | None:
    """How the figure compares with the stock rule's at the same batch and block, the model being equal."""
    if loss.y is None or loss.x is None or loss.x.shape is None or len(loss.x.shape) != 2:
        return None
    window = loss.x.shape[0] * loss.x.shape[1]
    stock = sum(TOKENS[part] for part in loss.y.split) // (window + 1) * window
    weight = sum((hi - lo) * factor for lo, hi, factor in loss.targets())
    if not stock or weight <= 0:
        return None
    ratio = weight / stock * CHARS["val"]
    if loss.divisor is not None:
        data = loss.divisor.data
        ratio /= loss.divisor.factor * sum(CHARS[part] for part in data.split)
    return None if abs(ratio - 1) < 0.002 else f"about {ratio:.3g} times what the stock rule gives for the same model"


def _check_changes(loss: Nats, place: Place, effect: str | None) -> Iterator[Finding]:
    for change in sorted(loss.changes):
        severity, rule, confidence = "error", "eval-targets", "likely"
        if change == "best of several":
            rule = "eval-best-of"
        elif change == "label smoothing":
            rule = "eval-label-smoothing"
        elif change == "the model's own loss":
            severity, rule = "note", "eval-own-loss"
        elif change.startswith("logits"):
            rule = "eval-logits"
        elif change.startswith(("rewritten", "joined", "through")):
            severity, rule, confidence = "warning", "eval-changed", "possible"
        message = f"evaluate() does not report the plain loss: {change}"
        yield Finding(severity, rule, message, str(place), None, confidence)  # type: ignore[arg-type]


def _check_divisor(loss: Nats, place: Place, effect: str | None) -> Iterator[Finding]:
    weights = sorted({round(abs(factor), 12) for _, _, factor in loss.targets()}) or [0.0]
    total = sum((hi - lo) * factor for lo, hi, factor in loss.targets())
    if loss.divisor is None:
        average = abs(total - 1) < 0.2
        what = "averages over tokens" if average else "does not divide"
        message = f"evaluate() {what} instead of dividing the sum by the characters of the validation text"
        yield Finding("error", "eval-divisor", message, str(place), effect, "certain" if average else "likely")
        return
    divisor, where = loss.divisor, str(loss.divisor.origin or place)
    if divisor.kind == "bytes" or abs(divisor.factor - 1) > 1e-6 or divisor.data.split != {"val"}:
        what = (
            "bytes" if divisor.kind == "bytes" else "characters of other text" if divisor.factor == 1 else "a multiple"
        )
        message = f"evaluate() divides by {what}, not by the characters of the joined validation text"
        yield Finding("error", "eval-divisor", message, where, effect, "likely")
    once = _covered_once(loss)
    if once and abs(weights[0] - 1) > 1e-9:
        message = "the loss is averaged before it is summed (reduction is not 'sum')"
        yield Finding("error", "eval-reduction", message, str(place), effect, "certain")


def _check_text(machine: Machine, loss: Nats, place: Place) -> Iterator[Finding]:
    data = loss.y
    if data is None:
        return
    where = data.origin or place
    if "train" in data.split:
        message = f"evaluate() scores {'training and validation' if 'val' in data.split else 'training'} titles"
        yield Finding("error", "eval-on-training-titles", message, str(where), None, "likely")
    divided = loss.divisor.data.changes if loss.divisor is not None else frozenset()
    for change in sorted(data.changes | divided):
        rule = "validation-titles-filtered" if change in _DROPPED else "validation-text-changed"
        kept = "divisor and prediction task both change"
        if change in divided and change not in data.changes:
            kept = "only the divisor changes"
        elif change == "text inserted":
            kept = "each inserted character lengthens the divisor and is easy to predict: the figure falls"
        sure = "possible" if change in ORDER_CHANGES or "(" in change or "unknown" in change else "likely"
        severity = "warning" if change in ORDER_CHANGES or "unknown" in change else "error"
        spot = machine.changed_at(change, data.split) or where
        yield Finding(severity, rule, f"validation titles: {change}", str(spot), kept, sure)  # type: ignore[arg-type]
    separator = data.separator if data.separator is not None else "<eos>"
    if len(separator) != 5:
        ratio = CHARS["val"] / (CHARS["val"] + TITLES["val"] * (len(separator) - 5))
        message = f"titles are joined by {len(separator)} characters; the stock separator <eos> has 5, which divide too"
        yield Finding("warning", "validation-text-changed", message, str(place), f"about {ratio:.3g} times", "likely")


def _covered_once(loss: Nats) -> bool:
    spans = sorted((lo, hi) for lo, hi, _ in loss.targets())
    return all(before[1] <= after[0] for before, after in pairwise(spans))


def _merged(spans: list[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for lo, hi in sorted(spans):
        if merged and lo <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(hi, merged[-1][1]))
        else:
            merged.append((lo, hi))
    return merged


def _within(spans: list[tuple[int, int]], windows: list[tuple[int, int]]) -> bool:
    """Every span lies in one of the windows, which are in order."""
    starts = [lo for lo, _ in windows]
    places = [(bisect_right(starts, lo) - 1, hi) for lo, hi in spans]
    return all(place >= 0 and hi <= windows[place][1] for place, hi in places)


def _check_windows(loss: Nats, place: Place, effect: str | None) -> Iterator[Finding]:
    data, x = loss.y, loss.x
    if data is None or x is None or not data.split:
        return
    where = str(data.origin or place)
    spans = [(lo, hi) for lo, hi, _ in loss.targets()]
    if data.random or x.random:
        message = "validation windows are drawn at random, not taken one after the other"
        yield Finding("error", "eval-windows-random", message, where, None, "likely")
        return
    if x.shape is None or len(x.shape) != 2:
        message = "the shape of the validation windows could not be followed"
        yield Finding("note", "eval-windows-unread", message, where, None, "possible")
        return
    tokens = sum(TOKENS[part] for part in data.split)
    span = x.shape[0] * x.shape[1] + 1
    stock = [(start + 1, start + span) for start in range(0, tokens - span + 1, span)]
    merged, scored = _merged(spans), sum(hi - lo for lo, hi in _merged(spans))
    expected = sum(hi - lo for lo, hi in stock)
    if not _covered_once(loss):
        passes = len(spans) > 1 and len(set(spans)) * 2 <= len(spans)
        rule, what = ("eval-averaged", "several evaluations are combined") if passes else (
            "eval-windows-overlap", "validation windows overlap: some tokens are scored twice")  # fmt: skip
        yield Finding("error", rule, what, where, effect, "likely")
    elif merged == _merged(stock):
        share = expected / tokens
        message = (
            f"the stock rule drops the tail: at {x.shape[0]}x{x.shape[1]} {len(stock)} windows score about {share:.1%} "
            "of the validation tokens (2026 titles, 16k BPE), and all characters divide"
        )
        low = f"full coverage reads about {1 / share:.3g} times higher" if share else "no window fits: it prints 0"
        yield Finding("warning" if share < 0.9 else "note", "tail-drop", message, where, low, "likely")
    elif scored < expected - span and _within(merged, stock):
        message = f"fewer validation windows than fit: {scored / expected:.0%} of the stock rule's tokens are scored"
        yield Finding("error", "eval-windows-fewer", message, where, effect, "likely")
    elif scored > expected and (not stock or merged[-1][1] > stock[-1][1]):
        message = "the tail that the stock rule drops is scored: the figure is higher and not comparable with others'"
        yield Finding("warning", "eval-windows-tail", message, where, effect, "likely")
    else:
        message = "validation windows do not start every batch * block + 1 tokens, or are cut otherwise"
        yield Finding("error", "eval-windows-changed", message, where, effect, "likely")


def _check_behaviour(machine: Machine, name: str | None) -> Iterator[Finding]:
    inside = [event for event in machine.events if name is not None and name in event.inside]
    seen: set[str] = set()
    for event in inside:
        rule, message = {
            "backward": (
                "test-time-training",
                "evaluate() computes gradients: the model learns from validation titles",
            ),
            "step": ("test-time-training", "evaluate() takes optimizer steps: the model learns from validation titles"),
            "learn": ("eval-cache", "evaluate() keeps counts or states of validation tokens that it has scored"),
            "dropout": ("eval-mode", "the model is scored in training mode (no model.eval()): dropout stays on"),
        }.get(event.kind, ("", ""))
        if rule and rule not in seen:
            seen.add(rule)
            yield Finding("error", rule, message, str(event.place), None, "likely")
    early = next((event for event in inside if event.kind == "maybe"), None)
    if early is not None:
        message = "evaluate() can leave windows out under a condition that the source does not decide"
        yield Finding("note", "eval-may-stop", message, str(early.place), None, "possible")
    if name is None and any(
        event.kind == "dropout" and not any(map(EVALUATOR.search, event.inside)) for event in machine.events
    ):
        event = next(event for event in machine.events if event.kind == "dropout")
        message = "validation titles are scored in training mode (no model.eval()): dropout stays on"
        yield Finding("error", "eval-mode", message, str(event.place), None, "possible")
