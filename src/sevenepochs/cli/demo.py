"""`demo`: three small models on the embedded corpus, their losses beside its floor, and how they got there."""

from __future__ import annotations

import math
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from rich.text import Text

from sevenepochs.cli.console import ConsoleWatcher, console, heading
from sevenepochs.cli.options import Number, RunsFolder
from sevenepochs.cli.program import program
from sevenepochs.metrics import format_metric
from sevenepochs.questions.terminal import table
from sevenepochs.recipes.catalog import load_recipe
from sevenepochs.recipes.listing import list_recipes
from sevenepochs.store.run import Run

RECIPES = {"demo_sgd": "S", "demo_adamw": "A", "demo_record": "R"}  # with the letter that draws each
_FIGURES = ("exact_val_loss", "excess_val_loss")
_STYLES = ("red", "blue", "green")
_COLUMNS, _ROWS = 63, 14  # nine columns an epoch
NEXT = (
    ("what the last model expects after a beginning", 'predict last --text "Show HN: A"'),
    ("whether a difference counts", "compare demo_adamw demo_record"),
    ("what a larger recipe takes here, on 20,000 such titles", "show laptop_words --corpus sample"),
)

Curve = Sequence[tuple[float, float]]  # (epochs, nats per character), from left to right


def demo(runs: RunsFolder = Path("runs"), titles: Number = None) -> None:
    """Train three small models on the embedded corpus and compare them with its floor (some minutes).

    Args:
        titles: Take so many titles; some hundreds are seconds, and too few to learn from.
    """
    from sevenepochs.training.trainer import run_training

    what = {recipe.name: recipe.summary for recipe in list_recipes()}
    trained = {}
    for recipe in RECIPES:
        heading(recipe)
        console.print(what[recipe], style="bold", markup=False)
        experiment = load_recipe(recipe)
        if titles is not None:
            experiment = experiment.replace("corpus.n_titles", titles)
        trained[recipe] = run_training(experiment, recipe, runs, ConsoleWatcher(lists_evaluations=False))
    heading("all three, on the same validation titles")
    _print_outcome(trained)
    console.print("\nNext:")
    where = "" if runs == Path("runs") else f" --runs {shlex.quote(str(runs))}"
    for purpose, command in NEXT:
        takes_runs = not command.startswith("show")
        console.print(f"  {purpose}", style="dim", markup=False)
        console.print(f"    {program()} {command}{where if takes_runs else ''}", markup=False, soft_wrap=True)


def _print_outcome(trained: Mapping[str, Run]) -> None:
    figures = {recipe: run.summary["figures"] for recipe, run in trained.items() if run.summary is not None}
    floor = next(iter(figures.values()))["floor_val_loss"]
    rows = [
        (f"{recipe} ({RECIPES[recipe]})", *(format_metric(name, found[name]) for name in _FIGURES))
        for recipe, found in figures.items()
    ]
    rows.append(("floor", format_metric("floor_val_loss", floor), ""))
    console.print(table(("model", ">loss, nats/char", ">above the floor"), rows))
    curves = {RECIPES[recipe]: _curve(run) for recipe, run in trained.items()}
    console.print("\nvalidation loss over the seven epochs, nats/char (logarithmic); dots: the floor")
    for line in drawn(curves, floor):
        console.print(_coloured(line), soft_wrap=True)
    console.print(
        "\nA grammar writes these titles, so the loss that no fair model can beat is known: the floor.\n"
        "SGD learns how frequent each token is and hardly more.",
        markup=False,
    )


def _curve(run: Run) -> Curve:
    assert run.summary is not None, "training returns complete runs only"
    n_steps, epochs = run.summary["n_steps"], run.config["training"]["epochs"]
    return [(row["step"] / n_steps * epochs, row["exact_val_loss"]) for row in run.evaluations()]


def drawn(curves: Mapping[str, Curve], floor: float) -> list[str]:
    """Return lines of text: the curves by their letters on a logarithmic scale, the floor in dots, both axes."""
    first, last = (pick(x for curve in curves.values() for x, _ in curve) for pick in (min, max))
    highest = max(loss for curve in curves.values() for _, loss in curve)

    def row(loss: float) -> int:
        return round((_ROWS - 1) * math.log(highest / loss) / math.log(highest / floor))

    cells = [[" "] * _COLUMNS for _ in range(_ROWS)]
    cells[-1] = ["."] * _COLUMNS
    for letter, curve in curves.items():
        x, losses = zip(*curve, strict=True)
        for column, loss in enumerate(np.interp(np.linspace(first, last, _COLUMNS), x, losses)):
            cells[min(row(float(loss)), _ROWS - 1)][column] = letter
    labels = {0: highest, (_ROWS - 1) // 2: math.sqrt(highest * floor), _ROWS - 1: floor}
    lines = [
        f"{format_metric('exact_val_loss', labels[i]) if i in labels else '':>7} |{''.join(line)}"
        for i, line in enumerate(cells)
    ]
    ticks = "".join(f"{epoch:>{_COLUMNS // 7}}" for epoch in range(1, 8))
    return [*lines, f"{'':7} +{'-' * _COLUMNS}", f"{'epoch':>7}  0{ticks[1:]}"]


def _coloured(line: str) -> Text:
    text = Text(line)
    if "|" in line:
        for letter, style in zip(RECIPES.values(), _STYLES, strict=True):
            text.highlight_regex(letter, style)
    return text
