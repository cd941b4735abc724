"""`search`."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from tyro.conf import UseAppendAction, arg

from sevenepochs.cli.console import console, errors, heading, print_json
from sevenepochs.cli.options import (
    Changes,
    Json,
    OptionalFolder,
    Positional,
    Recipe,
    SideBySide,
    Titles,
    experiment_from,
)
from sevenepochs.errors import UserError, command
from sevenepochs.metrics import format_metric
from sevenepochs.questions.terminal import table
from sevenepochs.store.run.writer import recipe_label
from sevenepochs.training.interrupt import Interrupted

if TYPE_CHECKING:
    from sevenepochs.campaign.search import Trial

Vary = Annotated[
    UseAppendAction[tuple[str, ...]],
    arg(
        metavar="KEY=LOW..HIGH[:log|:STEP]",
        help="What to vary, instead of width, dropout, the objective's weight, decays and learning rates; "
        "KEY may hold *, or KEY=A,B,C; may be repeated.",
    ),
]


def search(
    recipe: Positional[Recipe],
    trials: int = 30,
    vary: Vary = (),
    survivors: int = 3,
    *,
    titles: Titles,
    changes: Changes,
    side_by_side: SideBySide,
    study: OptionalFolder = None,
    json: Json = False,
) -> None:
    """Vary settings of a recipe together, at proxy scale and on training titles only; the same command goes on.

    Args:
        trials: How many trials there shall be, earlier ones counted; 0 shows what is there.
        survivors: How many of the best to print as train commands.
        study: Where the study and its runs are (searches/RECIPE by default).
    """
    from sevenepochs.campaign.search import Search
    from sevenepochs.campaign.space import default_space, parse_space

    experiment = experiment_from(recipe, titles, changes.as_settings(), changes.seed)
    name = recipe_label(recipe)
    folder = study or Path("searches") / name.replace(":", "-")
    dimensions = parse_space(vary, experiment) or Search.kept_space(folder) or default_space(experiment)
    if not dimensions:
        raise UserError(f"{recipe} has nothing that the default space varies; say what with --vary")
    found = Search(name, experiment, tuple(dimensions), folder, changes.as_settings())
    out = errors if json else console

    def announce(number: int, values: dict[str, float | int]) -> None:
        heading(f"trial {number}", out)
        out.print("  ".join(f"{key}={value:.4g}" for key, value in values.items()), markup=False)

    try:
        opened = found.run(trials, side_by_side.watcher(is_silent=json), announce, side_by_side.found())
    except Interrupted:
        out.print("the same command goes on from here", style="dim")
        raise
    done = found.trials(opened)
    importances = found.importances(opened)
    best = [trial for trial in done if trial.loss is not None][:survivors]
    commands = [_command(recipe, titles, changes, trial) for trial in best]
    if json:
        rows = [dataclasses.asdict(trial) for trial in done]
        print_json({"trials": rows, "importances": importances, "survivors": commands})
        return
    _print(done, importances)
    deviation = command("noise", recipe, "--proxy", "--train", 3)
    console.print(
        "\nTo confirm in full; the best of many trials is partly luck, and two trials that differ by less than four "
        f"times the proxy's seed deviation ({deviation}) may differ by chance alone:"
    )
    for line in commands:
        console.print(f"  {line}", markup=False, soft_wrap=True)


def _command(recipe: str, titles: Titles, changes: Changes, trial: Trial) -> str:
    seed = [] if changes.seed is None else ["--seed", changes.seed]
    settings = [*changes.as_settings(), *(f"{key}={value:.6g}" for key, value in trial.settings.items())]
    return command("train", recipe, *titles.words(), *seed, *(word for each in settings for word in ("--set", each)))


def _print(trials: list[Trial], importances: dict[str, float]) -> None:
    if not trials:
        console.print("no trial is finished yet")
        return
    keys = list(trials[0].values)
    listed = table([f">{column}" for column in ("trial", "exact", *keys)], fold=True)
    for trial in trials:
        loss = format_metric("exact_val_loss", trial.loss) if trial.loss is not None else "failed"
        listed.add_row(str(trial.number), loss, *(f"{trial.values[key]:.4g}" for key in keys))
    console.print(listed)
    console.print("exact: on development titles, nats/char", style="dim")
    if importances:
        console.print("\nwhat separates the good trials: " + ", ".join(f"{k} {v:.0%}" for k, v in importances.items()))
    else:
        console.print("\ntoo few trials to tell what matters", style="dim")
