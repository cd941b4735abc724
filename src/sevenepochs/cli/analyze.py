"""`analyze`, `data` and `publish`: questions to a run answered, shown and published."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from tyro.conf import arg

from sevenepochs.cli.console import analysis_progress, console, note, print_json
from sevenepochs.cli.options import Json, OptionalFolder, Positional, ResultsFolder, RunName, Runs, Titles
from sevenepochs.comparison.title_losses import write as write_title_losses
from sevenepochs.data.corpus.base import CorpusConfig
from sevenepochs.data.corpus.of_run import check_at_hand
from sevenepochs.data.corpus.sample import SampleCorpus
from sevenepochs.data.tokenizer.base import Tokenizer
from sevenepochs.data.tokenizer.trained import BPE
from sevenepochs.errors import UserError
from sevenepochs.protocol.budget import Split
from sevenepochs.questions import data as data_question
from sevenepochs.questions import registry
from sevenepochs.recipes.configs import recipe_of
from sevenepochs.store.publishing import PROXY_ANALYSES
from sevenepochs.store.publishing import publish as write_result
from sevenepochs.store.results import result_of
from sevenepochs.store.run import layout, storage


def analyze(
    run: Positional[RunName],
    only: Annotated[tuple[str, ...], arg(metavar="NAME ...")] = (),
    again: bool = False,
    figures: bool = True,
    *,
    titles: Titles,
    runs: Runs,
    json: bool = False,
) -> None:
    """Look at a finished run: what it reads, whether it uses its context, where its loss is, how sure it is.

    What is missing is computed (a pass over the validation text, titles drawn, layers read: some minutes for the stock
    model on two cores) and written to the run's analysis/ folder as JSON, with an SVG beside it for every figure.

    Args:
        only: Answer these questions only. Some of: data token_frequency next_token where_loss extreme_titles
            memorisation collapse calibration samples layers facts.
        again: Compute again what is there already.
        figures: Draw the figures (needs matplotlib).
        json: Print the JSON of the analyses instead of the views.
    """
    if "," in (asked := " ".join(only)):
        raise UserError(f"--only {asked}: names are separated by spaces: --only {asked.replace(',', ' ')}")
    corpus = titles.config()
    found = runs.find(run)
    registry.check_names(only)
    result_of(found)  # an incomplete run is refused before any work
    if not (names := only or tuple(registry.questions_to(found))):
        raise UserError(f"{found.name} mixes models that have no tokens in common to ask about; analyze a member")
    if again or not set(names) <= set(found.analysis_names()):
        with analysis_progress() as progress:
            registry.analyze(found, corpus, note, only=names, again=again, progress=progress)
    contents = {name: found.analysis(name) for name in names}
    if json:
        print_json(contents)
    for name, content in {} if json else contents.items():
        if (view := registry.QUESTIONS[name].view) is not None:
            console.print()
            console.print(view(content))
    if figures:
        drawn: dict[str, str] = {}
        for name, content in contents.items():
            drawn |= registry.QUESTIONS[name].figures(content, found.recipe)
        folder = found.path / layout.ANALYSIS
        _write_figures(drawn, folder, "make room or permissions there, and analyse again")
        note(f"the JSON and the figures ({len(drawn)}) are in {folder}")


def data(
    run: Positional[Annotated[str | None, arg(metavar="RUN")]] = None,
    *,
    titles: Titles,
    runs: Runs,
    figures: OptionalFolder = None,
    json: Json = False,
) -> None:
    """Show what a model reads: frequent words and tokens, lengths, kinds of titles, the share of `<eos>`.

    Only training titles are counted. Without a RUN the titles are cut by the stock tokenizer, with one by its own.
    Without a RUN and --corpus they are the embedded sample's.

    Args:
        run: A run folder, its name's beginning or end, a recipe, or `last`; its tokenizer and, unless --corpus says
            otherwise, its titles.
        figures: Also write the figures to this folder (needs matplotlib).
    """
    split, tokenizer = _read(run, titles.config(), runs)
    content = data_question.in_numbers(split.train, tokenizer, tokenizer.encode_stream(split.train))
    if json:
        print_json(content)
    else:
        console.print(data_question.view(content))
    if figures is not None:
        _write_figures(data_question.DATA.figures(content), figures, "name another folder")
        note(f"figures are in {figures}")


def publish(
    names: Positional[Annotated[tuple[str, ...], arg(metavar="RUN [RUN ...]")]],
    *,
    titles: Titles,
    runs: Runs,
    results: ResultsFolder = Path("results"),
    analyses: bool = True,
) -> None:
    """Write the small, committable part of finished runs to results/, their standard analyses included.

    A run at proxy scale keeps its losses by title, for comparisons, what facts are worth, and no other analysis. A run
    with changed settings is published as the recipe that has all of them, where there is one.

    Args:
        names: Run folders, how their names begin or end, recipes, or `last`.
        analyses: Make the standard analyses first, minutes on a CPU; without, those that are there go along.
    """
    if not names:
        raise UserError("which run? name one or several, or `last`; `sevenepochs runs` lists them")
    corpus = titles.config()
    # an incomplete one among them is refused before any work
    found = {run.path: (run, result_of(run)) for run in map(runs.find, names)}
    for run, result in found.values():
        asked = [name for name in registry.questions_to(run) if not result.is_proxy or name in PROXY_ANALYSES]
        if analyses and asked:
            with analysis_progress() as progress:
                registry.analyze(run, corpus, note, only=asked, progress=progress)
        write_title_losses(run, corpus, note)
        recipe = recipe_of(result)
        other = None if recipe == result.recipe else recipe
        console.print(f"published to {write_result(run, results, other)}; commit it")


def _read(run: str | None, named: CorpusConfig | None, runs: Runs) -> tuple[Split, Tokenizer]:
    if run is None:
        split = (named or SampleCorpus()).load().split()
        return split, BPE().build(split)
    found = runs.find(run)
    config = named or CorpusConfig.from_dict(found.config["corpus"])
    check_at_hand(found, config)
    return config.load().split(), Tokenizer(found.read_text(layout.TOKENIZER))


def _write_figures(drawn: dict[str, Any], folder: Path, advice: str) -> None:
    with storage.disk_errors(f"figures to {folder}", advice):
        folder.mkdir(parents=True, exist_ok=True)
        for file, svg in drawn.items():
            storage.write_text(folder / file, svg)
