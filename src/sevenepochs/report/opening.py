"""How a notebook comes to its story: where published results are found, and runs turned into results. No torch."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sevenepochs.comparison.find import finished_runs
from sevenepochs.errors import UserError
from sevenepochs.recipes import RECORD_RECIPE
from sevenepochs.recipes.configs import called
from sevenepochs.report.chapter import Chapters
from sevenepochs.report.inputs import collect
from sevenepochs.report.story import PARTS, Story
from sevenepochs.store.results import result_of
from sevenepochs.store.run import Run


def open_chapters(
    run: Path | str, subject: str, runs: Path, train: Callable[[str], Run], analyze: Callable[[Run], object]
) -> Chapters:
    """What `sevenepochs.open_story` returns; arguments and errors as there.

    Args:
        train: trains a recipe by name into `runs`.
        analyze: leaves the standard analyses in a run's folder.
    """
    text, cast = str(run), dict[str, str]()
    if text in ("train", "train demo"):
        found = [_newest(recipe, runs) or train(recipe) for recipe in recipes_up_to(subject, demo=text == "train demo")]
        origin = "train"
    elif (Path(run) / "run.json").is_file():
        found, cast = _with_siblings(Run(Path(run)), subject)
        origin = "run"
    else:
        return chapters_of_results(find_results(text))
    for one in found:
        if "next_token" not in one.analysis_names():
            analyze(one)
    return chapters_of_runs(found, cast, origin)


def _newest(recipe: str, runs: Path) -> Run | None:
    """The newest complete run of a recipe; None where there is none."""
    complete = [result.run for result in finished_runs(runs) if called(result) == recipe]
    return complete[-1] if complete else None


def _with_siblings(run: Run, subject: str) -> tuple[list[Run], dict[str, str]]:
    """The run, and the complete runs beside it whose recipes the story knows; what the run plays."""
    own = result_of(run)
    found = {own.name: run}
    for other in finished_runs(run.path.resolve().parent):
        is_sibling = called(other) in _story_recipes() and called(other) != called(own)
        if is_sibling and other.titles == own.titles and other.run:
            found[other.name] = other.run
    return list(found.values()), {subject: own.name}


def find_results(text: str) -> Path:
    """A folder of results, or of one: a path; "results" is also looked for one folder up and in the repository that
    the package was installed from.

    Raises:
        UserError: there is none.
    """
    places = [Path(text)]
    if text == "results":
        places += [Path("..") / text, Path(__file__).parents[3] / text]
    for place in places:
        if place.is_dir():
            return place
    raise UserError(
        f"there is no {text!r} here; set RUN to a run folder or a folder of results, or to 'train' or 'train demo'"
    )


def _story_recipes() -> tuple[str, ...]:
    """Every recipe that plays a part."""
    return tuple(recipe for part in PARTS for recipe in part.recipes)


def recipes_up_to(subject: str, *, demo: bool) -> tuple[str, ...]:
    """What has to be trained for a chapter: the recipes of the story up to it.

    Raises:
        UserError: no such chapter.
    """
    keys = [part.key for part in PARTS]
    if subject not in (*keys, "best"):
        raise UserError(f"the story has no chapter {subject!r}; it has {', '.join([*keys, 'best'])}")
    if demo:
        return tuple(p.recipes[1] for p in PARTS if len(p.recipes) > 1 and _comes_by(p.key, subject, keys))
    if subject == "best":
        return (PARTS[0].recipes[0], RECORD_RECIPE)
    return tuple(p.recipes[0] for p in PARTS if _comes_by(p.key, subject, keys))


def chapters_of_results(path: Path) -> Chapters:
    """The story of published results (or of a folder of them).

    Raises:
        UserError: there is none, or one is damaged.
    """
    with _scratch() as scratch:
        return Chapters(Story.of(collect([path], Path(scratch))), "results")


def chapters_of_runs(runs: Sequence[Run], cast: Mapping[str, str], origin: str) -> Chapters:
    """The story of complete runs.

    Args:
        cast: see `Story.of`.
        origin: "run" or "train".

    Raises:
        UserError: a run is incomplete or damaged.
    """
    with _scratch() as scratch:
        return Chapters(Story.of(collect([run.path for run in runs], Path(scratch)), cast), origin)


def _scratch() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="sevenepochs-")


def _comes_by(key: str, subject: str, keys: list[str]) -> bool:
    return subject == "best" or keys.index(key) <= keys.index(subject)
