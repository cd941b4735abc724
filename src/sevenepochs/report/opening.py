"""How a notebook comes to its story: where published results are found, and runs turned into results. No torch."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from sevenepochs.errors import UserError
from sevenepochs.questions.registry import analyze
from sevenepochs.recipes import RECORD_RECIPE
from sevenepochs.recipes.configs import called
from sevenepochs.report.chapter import Chapters
from sevenepochs.report.inputs import collect
from sevenepochs.report.story import PARTS, Story
from sevenepochs.store.results import finished_runs, result_of
from sevenepochs.store.run import Run


def open_chapters(run: Path | str, subject: str, runs: Path, train: Callable[[str], Run]) -> Chapters:
    """Return what `sevenepochs.open_story` does; arguments and errors as there. `train`: trains a recipe by name into
    `runs`."""
    text, cast = str(run), dict[str, str]()
    if text in ("train", "train demo"):
        newest = {called(result): result.run for result in finished_runs(runs)}
        found = [newest.get(recipe) or train(recipe) for recipe in _up_to(subject, is_demo=text == "train demo")]
    elif (Path(run) / "run.json").is_file():
        found, cast = _with_siblings(Run(Path(run)), subject)
    else:
        return _chapters([_results_folder(text)], cast, "results")
    for one in found:
        if "next_token" not in one.analysis_names():
            analyze(one)
    return _chapters([one.path for one in found], cast, "run" if cast else "train")


def _with_siblings(run: Run, subject: str) -> tuple[list[Run], dict[str, str]]:
    """The run, and the complete runs beside it whose recipes the story knows; what the run plays."""
    own = result_of(run)
    recipes = {recipe for part in PARTS for recipe in part.recipes} - {called(own)}
    others = (one for one in finished_runs(run.path.resolve().parent) if called(one) in recipes)
    found = {own.name: run} | {one.name: one.run for one in others if one.run and one.titles == own.titles}
    return list(found.values()), {subject: own.name}


def _results_folder(text: str) -> Path:
    """A folder as named; "results" is also looked for one folder up and in the package's repository."""
    places = [Path(), Path(".."), Path(__file__).parents[3]] if text == "results" else [Path()]
    for place in places:
        if (place / text).is_dir():
            return place / text
    raise UserError(
        f"there is no {text!r} here; set RUN to a run folder or a folder of results, or to 'train' or 'train demo'"
    )


def _up_to(subject: str, *, is_demo: bool) -> list[str]:
    """The recipes to train for a chapter: those of the story up to it."""
    keys = [part.key for part in PARTS]
    if subject not in (*keys, "best"):
        raise UserError(f"the story has no chapter {subject!r}; it has {', '.join([*keys, 'best'])}")
    parts = PARTS if subject == "best" else PARTS[: keys.index(subject) + 1]
    if is_demo:
        return [part.recipes[1] for part in parts if part.recipes[1:]]
    return [PARTS[0].recipes[0], RECORD_RECIPE] if subject == "best" else [part.recipes[0] for part in parts]


def _chapters(paths: Sequence[Path], cast: Mapping[str, str], origin: str) -> Chapters:
    with tempfile.TemporaryDirectory(prefix="sevenepochs-") as scratch:
        return Chapters(Story.of(collect(paths, Path(scratch)), cast), origin)
