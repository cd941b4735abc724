"""A place in the story as a notebook sees it: its run, the run before it, and what can be shown of them.

Everything is a `Shown`. A place whose run is missing has the same methods, and each says what is missing and how to
get it, so that a notebook runs to its end either way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sevenepochs.metrics import METRICS, format_metric
from sevenepochs.questions import where_loss
from sevenepochs.questions.figures import curves
from sevenepochs.questions.registry import QUESTIONS, check_names
from sevenepochs.recipes.configs import called, named
from sevenepochs.report.config_diff import config_diff
from sevenepochs.report.fragments import command_for
from sevenepochs.report.inputs import Published
from sevenepochs.report.ladder_section import figure as ladder_figure
from sevenepochs.report.ladder_section import longest, scale_of
from sevenepochs.report.ladder_table import HEAD, rows
from sevenepochs.report.story import PARTS, Story


@dataclass(frozen=True)
class Shown:
    """The value of a notebook's cell: text and, where there is something to draw, an SVG. Displays itself in Jupyter;
    `print` gives the text."""

    text: str
    svg: str | None = None

    def __repr__(self) -> str:
        return self.text

    def _repr_mimebundle_(self, include: object = None, exclude: object = None) -> dict[str, str]:
        return self.bundle()

    def bundle(self) -> dict[str, str]:
        """Return content by MIME type, as a notebook stores it."""
        return ({"image/svg+xml": self.svg} if self.svg is not None else {}) | {"text/plain": self.text}


@dataclass(frozen=True)
class Chapter:
    """One place of the story: the run that fills it, the run `before` it where there is one, and what to say where the
    run is missing."""

    title: str
    run: Published | None
    before: Published | None
    missing: str

    def __repr__(self) -> str:
        return self.missing if self.run is None else f"{self.title}: {named(self.run.result)}"

    def figures(self) -> Shown:
        """The five figures and what the run cost, beside those of the run before."""
        if self.run is None:
            return Shown(self.missing)
        runs = self._beside(self.run)
        facts = [p.result.facts for p in runs]
        figures = [f.figures.by_name() for f in facts]
        rows = [["figure", *map(_called, runs), "unit"]]
        for name, metric in METRICS.items():
            if any(name in f for f in figures):
                rows.append([metric.label, *(format_metric(name, f.get(name)) for f in figures), metric.unit])
        for name in ("parameters", "n_steps"):
            rows.append([METRICS[name].label, *(format_metric(name, getattr(f, name)) for f in facts), ""])
        minutes = (format_metric("elapsed_minutes", f.elapsed_seconds / 60) for f in facts)
        return Shown(_aligned([*rows, ["time", *minutes, "min"]]))

    def change(self) -> Shown:
        """The settings that differ from the run before."""
        if self.run is None:
            return Shown(self.missing)
        if self.before is None:
            return Shown("nothing before it to compare with")
        changed = config_diff(self.before.result.facts.config, self.run.result.facts.config)
        return Shown(changed or "the two configs are the same")

    def curve(self, metric: str = "exact_val_loss") -> Shown:
        """A metric over the steps, with the run before; "train_loss_nats_per_token" for the training loss."""
        return Shown(self.missing) if self.run is None else loss_curves(self._beside(self.run), metric)

    def ask(self, question: str, part: str = "", *, before: bool = False) -> Shown:
        """The figure of a question's published answer, e.g. `ask("collapse")`, `ask("next_token", "0_10")`.

        Args:
            question: a name of `questions.registry`.
            part: which of its figures, where there are several.
            before: ask the run before instead.
        """
        if self.run is None:
            return Shown(self.missing)
        check_names([question])
        asked = self.before if before else self.run
        if asked is None:
            return Shown("there is no run before this one")
        known, content = QUESTIONS[question], asked.analyses.get(question, {})
        svg = known.one_figure(content, _called(asked), part) if content else None
        if svg is None:
            what = f"{question} at {part}" if part else question
            return Shown(f"{asked.result.name} was published without the analysis {what}; publish the run again")
        if known.text is not None:
            return Shown(_aligned(known.text(content, part) if part else known.text(content)), svg)
        return Shown(content.get("sentence") or f"{question} of {_called(asked)}", svg)

    def certificate(self) -> Shown:
        """Each rule of the protocol and whether it held."""
        if self.run is None:
            return Shown(self.missing)
        rules = self.run.certificate["rules"]
        held = (f"{'held' if rule['ok'] else 'BROKEN':6}  {rule['rule']}: {rule['detail']}" for rule in rules)
        return Shown("\n".join(held))

    def _beside(self, run: Published) -> list[Published]:
        return [run] if self.before is None else [self.before, run]


class Chapters:
    """The story as chapters `first`, `one`, `two`, `best` and `inside`. Shown, it names its inputs and their `origin`
    ("results", or how else the runs came about), which the notebook keeps."""

    def __init__(self, story: Story, origin: str) -> None:
        self.story, self.origin = story, origin
        parts, before = story.parts, None
        self.by_name: dict[str, Chapter] = {}
        for part in PARTS:
            missing = f"{part.title}: not run yet. To run it: {command_for(part.key, story)}"
            self.by_name[part.key] = Chapter(part.title, parts[part.key], before, missing)
            before = parts[part.key] or before
        for key, title, also in (("best", "Best recipe", ""), ("inside", "Looking inside", " and its analyses")):
            first = None if parts[key] is parts["first"] else parts["first"]
            missing = f"{title}: no run of the single track has a clean certificate{also} yet."
            self.by_name[key] = Chapter(title, parts[key], first, missing)
        self.first, self.one, self.two, self.best, self.inside = self.by_name.values()

    def __repr__(self) -> str:
        return f"{inputs_line(self.story, self.origin)}\n\n{self.overview()}"

    def overview(self) -> Shown:
        """Every run on these titles, the highest exact loss first."""
        names = ("exact_val_loss", "official_val_loss", "val_scored_fraction")
        rows = [["run", *(f"{METRICS[n].label} ({METRICS[n].unit})" for n in names)]]
        for published in self.story.everything:
            figures = published.result.figures.by_name()
            rows.append([named(published.result), *(format_metric(name, figures.get(name)) for name in names)])
        return Shown(_aligned(rows))

    def ladder(self) -> Shown:
        """The ladder: the effect of each technique over the one before it, at the scale at which most were run."""
        rungs = longest(self.story.ladders.values())
        if not rungs:
            return Shown("No two recipes of the ladder were run on these titles: sevenepochs ladder --dry-run")
        return Shown(f"{scale_of(rungs)}\n\n{_aligned([HEAD, *rows(rungs)])}", ladder_figure(rungs))

    def where(self, breakdown: str) -> Shown:
        """The loss by place in the title, kind of title and so on (the parts of `where_loss`), run beside run."""
        analysed = {_called(p): p.analyses["where_loss"] for p in cast(self.story) if "where_loss" in p.analyses}
        if not analysed:
            return Shown("no run was published with the analysis where_loss; publish the runs again")
        svg = where_loss.figure(analysed, None, breakdown)
        return Shown(_aligned(where_loss.text(analysed, breakdown)), svg)


def loss_curves(
    runs: Sequence[Published],
    metric: str = "exact_val_loss",
    first_step: int = 0,
    lines: Mapping[str, float] | None = None,
) -> Shown:
    """A metric over the steps of runs from `first_step` on, above the floor where their titles have one, and beside
    other levels if given (`lines`), but for those above all curves."""
    floor = runs[-1].result.figures.floor_val_loss if metric == "exact_val_loss" else None
    curve_of = {_called(p): [row for row in p.curve if row["step"] >= first_step] for p in runs}
    highest = max((row[metric] or 0.0 for rows in curve_of.values() for row in rows), default=0.0)
    levels = {label: level for label, level in (lines or {}).items() if level < highest}
    levels |= {"floor": floor} if floor is not None else {}
    svg = curves.figure(curve_of, metric, lines=levels)
    last = ", ".join(f"{_called(p)} {_last(p, metric)}" for p in runs)
    return Shown(f"{METRICS[metric].label} at the last step: {last}", svg)


def cast(story: Story) -> list[Published]:
    """The runs that play a part, each once, in the order of the story."""
    return list({p.result.name: p for p in story.parts.values() if p is not None}.values())


def inputs_line(story: Story, origin: str) -> str:
    """Name the results that something was made from. The report sees by it whether a notebook is stale."""
    inputs = [f"{key}={f'{p.result.name}@{p.digest}' if p else 'missing'}" for key, p in story.parts.items()]
    return f"inputs ({origin}): {' '.join(inputs)} all={story.digest}"


def _called(published: Published) -> str:
    return called(published.result)


def _last(published: Published, metric: str) -> str:
    return format_metric(metric, next(row[metric] for row in reversed(published.curve) if row[metric] is not None))


def _aligned(rows: list[list[str]]) -> str:
    """Return rows as a text table; the first column is flush left, the others flush right."""
    left, *right = (max(map(len, column)) for column in zip(*rows, strict=True))
    lines = (
        [first.ljust(left), *(cell.rjust(width) for cell, width in zip(rest, right, strict=True))]
        for first, *rest in rows
    )
    return "\n".join("  ".join(line).rstrip() for line in lines)
