"""Options that several verbs share, and how they change an experiment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from tyro.conf import Positional as Positional

from sevenepochs.errors import UserError

if TYPE_CHECKING:
    from sevenepochs.data.corpus.base import CorpusConfig
    from sevenepochs.experiment import Experiment

Recipe = Annotated[str, tyro.conf.arg(metavar="RECIPE")]
RunName = Annotated[str, tyro.conf.arg(metavar="RUN")]
Corpus = Annotated[str | None, tyro.conf.arg(metavar="hub|sample|PATH")]
Column = Annotated[str | None, tyro.conf.arg(metavar="NAME")]
Encoding = Annotated[str | None, tyro.conf.arg(metavar="NAME", help="The text file's encoding, e.g. cp1252.")]
Revision = Annotated[str | None, tyro.conf.arg(metavar="2023|2026|SHA")]
Seed = Annotated[int | None, tyro.conf.arg(metavar="N")]
Folder = Annotated[Path, tyro.conf.arg(metavar="DIR")]
SvgFile = Annotated[Path | None, tyro.conf.arg(metavar="FILE")]
Track = Annotated[Literal["trackio", "wandb"] | None, tyro.conf.arg(metavar="trackio|wandb")]
Settings = Annotated[
    tyro.conf.UseAppendAction[tuple[str, ...]],
    tyro.conf.arg(name="set", metavar="KEY=VALUE", help="Change one setting, e.g. optimizer.lr=1e-3; may be repeated."),
]


def check_svg(figure: Path | None) -> None:
    """Raises UserError where a figure's name says that it is no SVG."""
    if figure is not None and figure.suffix.lower() != ".svg":
        raise UserError(f"--figure {figure}: figures are SVG; name it {figure.stem}.svg")


def refuse_seed(settings: tuple[str, ...], option: str) -> None:
    """For commands that run several seeds of their own.

    Raises:
        UserError: a setting names the seed, which would be overwritten.
    """
    if any(setting.partition("=")[0].strip() == "training.seed" for setting in settings):
        raise UserError(f"--set training.seed has no effect here: seeds go from 1337 on, {option} says how many")


def other_corpus(
    corpus: str | None, column: str | None, revision: str | None = None, encoding: str | None = None
) -> CorpusConfig | None:
    """What --corpus means beside a run, which has titles of its own; None without it.

    Raises:
        UserError: a column, an encoding or a revision of nothing, or as `parse_corpus`.
    """
    from sevenepochs.data.corpus.parse import parse_corpus

    if corpus is not None:
        return parse_corpus(corpus, column=column, revision=revision, encoding=encoding)
    for option, value in (("--revision", revision), ("--column", column), ("--encoding", encoding)):
        if value is not None:
            raise UserError(f"{option} belongs to --corpus; name it too")
    return None


def experiment_from(
    recipe: str,
    corpus: str | None,
    column: str | None,
    revision: str | None,
    seed: int | None,
    settings: tuple[str, ...],
    encoding: str | None = None,
) -> Experiment:
    """The recipe with the command line's changes; `--set` comes last and wins.

    Raises:
        UserError: anything that does not fit.
    """
    from sevenepochs.data.corpus.parse import parse_corpus
    from sevenepochs.recipes.catalog import load_recipe

    experiment = load_recipe(recipe)
    if corpus is not None:
        experiment = experiment.replace(
            "corpus", parse_corpus(corpus, column=column, revision=revision, encoding=encoding)
        )
    else:
        for name, value in (("column", column), ("revision", revision), ("encoding", encoding)):
            if value is not None:
                experiment = experiment.replace(f"corpus.{name}", value)
    if seed is not None:
        experiment = experiment.replace("training.seed", seed)
    changes = {}
    for setting in settings:
        key, equals, value = setting.partition("=")
        if not equals:
            raise UserError(f"--set {setting!r}: write KEY=VALUE, e.g. --set optimizer.lr=1e-3")
        changes[key.strip()] = value.strip()
    return experiment.replace_all(changes)  # at once: d_model and n_head may only fit together
