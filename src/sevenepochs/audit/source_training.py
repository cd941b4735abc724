"""Compares what a program trains on with the budget: seven epochs of the training titles as they are."""

from __future__ import annotations

from collections.abc import Iterator

from sevenepochs.audit.finding import Finding
from sevenepochs.audit.source_evaluate import reported
from sevenepochs.audit.source_machine import Machine
from sevenepochs.audit.source_scopes import EVALUATOR, Event
from sevenepochs.audit.source_values import ORDER_CHANGES, TOKENS, Data, Nats

EPOCHS = 7
SEED = 1337


def check_training(machine: Machine) -> Iterator[Finding]:
    """What the training loop does to the budget, and how its batches differ from the windows that are scored."""
    steps = [
        e for e in machine.events if e.kind == "backward" and isinstance(e.value, Nats) and isinstance(e.value.y, Data)
    ]
    steps = [event for event in steps if not any(EVALUATOR.search(name) for name in event.inside[-1:])]
    trained = 0.0
    made = next((weight for weight in machine.models_made if weight), 1.0) or 1.0
    done: set[str] = set()
    for event in steps:
        data: Data = event.value.y
        where = str(event.place)
        if "val" in data.split and "trains-on-validation" not in done:
            done.add("trains-on-validation")
            yield Finding(
                "error", "trains-on-validation", "the training stream holds validation titles", where, None, "likely"
            )
        for change in sorted((data.changes | event.value.x.changes) - ORDER_CHANGES - done):
            done.add(change)
            message = f"training titles: {change} (the rules forbid augmentation)"
            sure = "likely" if not change.startswith(("rewritten", "token")) else "possible"
            spot = str(machine.changed_at(change, data.split) or where)
            yield Finding("warning", "training-text-changed", message, spot, None, sure)  # type: ignore[arg-type]
        trained = float("nan") if event.weight is None else trained + event.weight / made * data.size
    ratio = trained / (EPOCHS * TOKENS["train"])
    if ratio > 1.02:
        message = (
            f"the loops train on about {ratio * EPOCHS:.1f} epochs' worth of training tokens, {EPOCHS} are allowed"
        )
        yield Finding("error", "extra-epochs", message, str(steps[0].place), f"{ratio:.3g} times the budget", "likely")
    if (found := reported(machine)) is not None:
        yield from _check_geometry(found[0], steps)
    for event in machine.events:
        if event.kind == "shuffle" and isinstance(event.value, int) and event.value != SEED:
            message = f"titles are shuffled with seed {event.value}, not {SEED}: other titles validate"
            yield Finding("error", "fixed-seed", message, str(event.place), None, "certain")


def _check_geometry(loss: Nats, steps: list[Event]) -> Iterator[Finding]:
    x = loss.x
    if x is None or x.shape is None or len(x.shape) != 2 or not steps or loss.y is None or loss.y.random:
        return
    step = steps[-1].value
    weight = abs(next(step.targets(), (0, 0, 1.0))[2]) * step.y.size
    accumulated = round(1 / weight) if 0 < weight < 0.75 else 1
    shape = step.x.shape
    if shape is None or len(shape) != 2 or shape == x.shape or accumulated * step.x.size == x.shape[0] * x.shape[1]:
        return
    message = f"evaluate() cuts {x.shape[0]}x{x.shape[1]} windows, training {shape[0]}x{shape[1]}"
    share = [
        TOKENS["val"] // (size + 1) * size / TOKENS["val"] for size in (x.shape[0] * x.shape[1], shape[0] * shape[1])
    ]
    effect = f"scores about {share[0]:.1%} of the validation tokens; at the training geometry {share[1]:.1%}"
    yield Finding("warning", "eval-geometry", message, str(loss.y.origin or loss.origin), effect, "likely")
