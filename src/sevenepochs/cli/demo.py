"""`demo`: two small recipes on the embedded corpus, against the floor that nobody can beat."""

from __future__ import annotations

from pathlib import Path

from sevenepochs.cli.options import RunsFolder

_RECIPES = ("demo_sgd", "demo_adamw")


def demo(runs: RunsFolder = Path("runs")) -> None:
    """Train two small recipes on the embedded corpus and compare them with its floor (some minutes)."""
    import shlex

    from sevenepochs.cli.console import ConsoleWatcher, console, figures_table, heading
    from sevenepochs.cli.program import program
    from sevenepochs.metrics import format_metric
    from sevenepochs.recipes.catalog import load_recipe
    from sevenepochs.training.trainer import run_training

    figures = {}
    for recipe in _RECIPES:
        experiment = load_recipe(recipe)
        heading(f"{recipe}: {type(experiment.optimizer).__name__}, lr {experiment.optimizer.lr:g}")  # type: ignore[attr-defined]
        run = run_training(experiment, recipe, runs, ConsoleWatcher())
        assert run.summary is not None, "training returns complete runs only"
        figures[recipe] = run.summary["figures"]
    heading("both, on the same validation titles")
    console.print(figures_table(figures))
    last = figures[_RECIPES[-1]]
    console.print(
        "\nThe titles come from a grammar whose probabilities are known, so the least possible loss on them is known"
        " too: the floor."
        f"\n{_RECIPES[-1]} is {format_metric('excess_val_loss', last['excess_val_loss'], unit=True)} above it."
        " No model that predicts fairly gets below it."
        "\n\nNext:",
        markup=False,
    )
    where = "" if runs == Path("runs") else f" --runs {shlex.quote(str(runs))}"
    for what, command in (
        ("what it expects after a beginning", f'predict last --text "Show HN: A"{where}'),
        ("change one thing; then runs and compare", "train demo_adamw --set optimizer.lr=4e-3"),
        ("what a full-size run takes here", "show adamw --corpus sample"),
    ):
        console.print(f"  {what}\n    {program()} {command}", markup=False, soft_wrap=True)
