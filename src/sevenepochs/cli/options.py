"""The command line's vocabulary: options that verbs share, as types and small dataclasses.

Dataclasses become options without a prefix (`OmitArgPrefixes` in cli/main.py), so every verb spells them alike.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from tyro.conf import Positional as Positional
from tyro.conf import UseAppendAction, arg

from sevenepochs.cli.console import ConsoleWatcher
from sevenepochs.cli.jobs_table import JobsTable
from sevenepochs.data.corpus.parse import parse_corpus
from sevenepochs.errors import UserError
from sevenepochs.recipes.catalog import import_file, load_recipe
from sevenepochs.store.run import Run, find_run
from sevenepochs.training.hooks import Watcher

if TYPE_CHECKING:
    from sevenepochs.campaign.jobs import Announce, Job, Planned
    from sevenepochs.campaign.workers import Workers
    from sevenepochs.data.corpus.base import CorpusConfig
    from sevenepochs.experiment import Experiment

Name = Annotated[str | None, arg(metavar="NAME")]
Revision = Annotated[str | None, arg(metavar="2023|2026|SHA")]
Number = Annotated[int | None, arg(metavar="N")]
Folder = Annotated[Path, arg(metavar="DIR")]
OptionalFolder = Annotated[Path | None, arg(metavar="DIR")]
File = Annotated[Path | None, arg(metavar="FILE")]
Recipe = Annotated[str, arg(metavar="RECIPE", help="A name from `sevenepochs list`, or path/file.py:function.")]
RunName = Annotated[str, arg(metavar="RUN", help="A run folder, its name's beginning or end, a recipe, or `last`.")]
RunsFolder = Annotated[Path, arg(name="runs", metavar="DIR", help="Where run folders are and go.")]
ResultsFolder = Annotated[
    Path, arg(metavar="DIR", help="Where published results and measured seed deviations are and go.")
]
Settings = Annotated[
    UseAppendAction[tuple[str, ...]],
    arg(name="set", metavar="KEY=VALUE", help="Change one setting, e.g. optimizer.lr=1e-3; may be repeated."),
]
Track = Annotated[
    Literal["trackio", "wandb"] | None,
    arg(metavar="trackio|wandb", help="Also mirror the metrics to a dashboard; the run folder has them in any case."),
]
Facts = Annotated[str | None, arg(metavar="COLUMN,...")]
Told = Annotated[
    UseAppendAction[tuple[str, ...]],
    arg(name="facts", metavar="NAME=VALUE", help="Tell the model a fact, e.g. url=arxiv.org; may be repeated."),
]
Proxy = Annotated[
    bool, arg(help="Proxy scale: a fifteenth of the work, on training titles alone; to choose by, never a result.")
]
Within = Annotated[
    str | None,
    arg(metavar="30m|2h", help="Choose the recipe: the lowest published loss that this machine reaches in the time."),
]
Json = Annotated[bool, arg(help="Print JSON.")]


@dataclass(frozen=True)
class Titles:
    """The titles; by default the recipe's or run's own.

    Args:
        corpus: The hub, the embedded sample (sample:N for N titles), or a file (parquet, csv, tsv, json, jsonl, txt).
        column: The column that holds the titles.
        encoding: The text file's encoding, e.g. cp1252.
        revision: The version of the hub's titles: 2023, 2026, or a commit's SHA.
    """

    corpus: Annotated[str | None, arg(metavar="hub|sample|PATH")] = None
    column: Name = None
    encoding: Name = None
    revision: Revision = None

    def config(self) -> CorpusConfig | None:
        """Return the corpus that is named in place of a run's own, or None. Raises UserError: a column, an encoding or
        a revision without --corpus, or as `parse_corpus`."""
        if self.corpus is not None:
            return parse_corpus(self.corpus, column=self.column, revision=self.revision, encoding=self.encoding)
        for option in self.words()[:1]:
            raise UserError(f"{option} belongs to --corpus; name it too")
        return None

    def words(self) -> list[str]:
        """Return the options as they are typed."""
        return [word for name, value in asdict(self).items() if value is not None for word in (f"--{name}", value)]


@dataclass(frozen=True)
class Changes:
    """Changes to the recipe.

    Args:
        seed: Initialisation, dropout and order; the split never changes.
        facts: Columns that the model is told beside each title, e.g. url,time or href:link; the recipe needs batches of
            whole titles.
    """

    settings: Settings = ()
    seed: Number = None
    facts: Facts = None

    def as_settings(self) -> tuple[str, ...]:
        """Return the settings, with the facts as such."""
        told = () if self.facts is None else ("model.facts=facts", f"model.facts.columns={self.facts}")
        return *told, *self.settings


@dataclass(frozen=True)
class Folders:
    """Where runs and results are."""

    runs: RunsFolder = Path("runs")
    results: ResultsFolder = Path("results")


@dataclass(frozen=True)
class SideBySide:
    """Runs side by side, which needs Ray (docs/many-machines.md).

    Args:
        workers: So many runs at a time; each has a GPU, or its share of the processors.
        ray: On a Ray cluster (host:port, or `auto` for the one that this machine is in), not on this machine alone.
    """

    workers: Number = None
    ray: Annotated[str | None, arg(metavar="ADDRESS")] = None

    def found(self) -> Workers | None:
        """Return the workers, or None where runs come one after the other."""
        if self == SideBySide():
            return None
        from sevenepochs.campaign.workers import Workers

        return Workers(self.workers, self.ray)

    def watcher(self, *, is_silent: bool) -> Watcher:
        """Return what prints the progress of one run at a time, or of all."""
        if is_silent:
            return Watcher()
        return ConsoleWatcher() if self == SideBySide() else JobsTable()


@dataclass(frozen=True)
class Batch:
    """Several runs: on which titles, where, how, and with which settings beside their recipes'."""

    titles: Titles
    folders: Folders
    side_by_side: SideBySide
    proxy: Proxy = False
    settings: Settings = ()

    def jobs(self, recipe: str, n_seeds: int, option: str, settings: tuple[str, ...] = ()) -> list[Job]:
        """Return the jobs of a recipe with further settings, one per seed from 1337 on. Raises UserError: no such
        recipe, corpus or setting, or --set names the seed, whose number `option` says."""
        from sevenepochs.campaign.jobs import jobs_for

        told = (*self.settings, *settings)
        if any(setting.partition("=")[0].strip() == "training.seed" for setting in told):
            raise UserError(f"--set training.seed has no effect here: seeds go from 1337 on, {option} says how many")
        return jobs_for(recipe, experiment_from(recipe, self.titles, told), n_seeds, told, proxy=self.proxy)

    def execute(
        self, planned: Sequence[Planned], announce: Announce = lambda index, one: None, *, is_silent: bool = False
    ) -> list[Planned]:
        """Run what is not done, as asked; see `campaign.jobs.execute`."""
        from sevenepochs.campaign.jobs import execute

        side = self.side_by_side
        return execute(planned, self.folders.runs, side.watcher(is_silent=is_silent), announce, side.found())


BatchOptions = Annotated[Batch, arg(name="")]  # without a heading of its own in --help


@dataclass(frozen=True)
class Runs:
    """How runs are found.

    Args:
        load: A Python file with the runs' own recipe classes, if they have any.
    """

    folder: RunsFolder = Path("runs")
    load: File = None

    def find(self, name: str) -> Run:
        """Return the run of this name, and import the classes of --load. Raises as `find_run` and `import_file`."""
        self.import_classes()
        return find_run(name, self.folder)

    def import_classes(self) -> None:
        """Import the file of --load. Raises as `import_file`."""
        if self.load is not None:
            import_file(self.load)


def check_svg(figure: Path | None) -> None:
    """Raise a UserError where a figure's name is not an SVG's."""
    if figure is not None and figure.suffix.lower() != ".svg":
        raise UserError(f"--figure {figure}: figures are SVG; name it {figure.stem}.svg")


def told(facts: Iterable[str]) -> dict[str, str]:
    """Return facts by name from NAME=VALUE. Raises UserError: no such pair."""
    pairs = [fact.partition("=") for fact in facts]
    for name, equals, _ in pairs:
        if not (name and equals):
            raise UserError(f"--facts {name}: write NAME=VALUE, e.g. --facts url=arxiv.org")
    return {name: value for name, _, value in pairs}


def experiment_from(recipe: str, titles: Titles, settings: Iterable[str], seed: int | None = None) -> Experiment:
    """Return the recipe with the command line's changes; `--set` comes last and wins. Raises UserError: no such recipe,
    corpus or setting, or values that do not fit together."""
    experiment = load_recipe(recipe)
    if titles.corpus is not None:
        experiment = experiment.replace("corpus", titles.config())
    else:  # the recipe's own corpus, read otherwise
        for name in ("column", "revision", "encoding"):
            if (value := getattr(titles, name)) is not None:
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
