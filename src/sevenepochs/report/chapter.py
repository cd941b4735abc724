"""A place in the story as a notebook sees it: its run, the run before it, and what can be shown of them.

Everything is a `Shown`. A place whose run is missing has the same methods, and each says what is missing and how to
get it, so that a notebook runs to its end either way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sevenepochs.metrics import METRICS, format_metric
from sevenepochs.questions.figures import (
    calibration,
    collapse,
    curves,
    data,
    memorisation,
    next_token,
    token_frequency,
    where_loss,
)
from sevenepochs.recipes.configs import called, named
from sevenepochs.report.config_diff import config_diff
from sevenepochs.report.fragments import command_for
from sevenepochs.report.inputs import Published
from sevenepochs.report.ladder_section import figure as ladder_figure
from sevenepochs.report.ladder_section import longest, scale_of
from sevenepochs.report.ladder_table import HEAD, rows
from sevenepochs.report.shown import Shown, aligned
from sevenepochs.report.story import PARTS, Story


@dataclass(frozen=True)
class Chapter:
    """One place of the story.

    Attributes:
        title: for people.
        run: what fills it; None when it is missing.
        before: what it is compared with, where there is one.
        missing: what to say when `run` is None.
    """

    title: str
    run: Published | None
    before: Published | None
    missing: str

    def __repr__(self) -> str:
        return self.missing if self.run is None else f"{self.title}: {named(self.run.result)}"

    def figures(self) -> Shown:
        """The five figures and what the run cost, beside those of the run before."""
        return self._show(_figures, self.before, self.run)

    def change(self) -> Shown:
        """The settings that differ from the run before."""
        return self._show(_change, self.before, self.run)

    def loss_curve(self) -> Shown:
        """Exact validation loss over the steps, with the run before."""
        return self._show(_loss_curve, self.before, self.run)

    def training_curve(self) -> Shown:
        """Training loss over the steps, nats per token, with the run before."""
        return self._show(_training_curve, self.before, self.run)

    def predictions(self, row: int, position: int) -> Shown:
        """The ten most probable next tokens at a place of the first stock validation window."""
        return self._show(_predictions, self.run, row, position)

    def predictions_before(self, row: int, position: int) -> Shown:
        """The same of the run before."""
        return self._show(_predictions, self.before, row, position)

    def input_tokens(self) -> Shown:
        """The most frequent tokens of the training text."""
        return self._show(_input_tokens, self.run)

    def title_lengths(self) -> Shown:
        """How long the training titles are."""
        return self._show(_analysed, self.run, "data", lambda content, _: data.lengths(content))

    def collapse(self) -> Shown:
        """Does the model use what it has read, or does it give the same answer everywhere?"""
        return self._show(_analysed, self.run, "collapse", collapse.figure)

    def calibration(self) -> Shown:
        """How often it is right, by how sure it is."""
        return self._show(_analysed, self.run, "calibration", calibration.figure)

    def memorisation(self) -> Shown:
        """The loss on validation titles that occur in training, beside what a table of token pairs makes of them."""
        return self._show(_analysed, self.run, "memorisation", memorisation.figure)

    def certificate(self) -> Shown:
        """Each rule of the protocol and whether it held."""
        return self._show(_certificate, self.run)

    def _show(self, function: Callable[..., Shown], *arguments: Any) -> Shown:
        return Shown(self.missing) if self.run is None else function(*arguments)


class Chapters:
    """The story as chapters `first`, `one`, `two`, `best` and `inside`; shown, it names its inputs.

    Args:
        origin: "results", or how else the runs came about; the notebook keeps it.
    """

    def __init__(self, story: Story, origin: str) -> None:
        self.story, self.origin = story, origin
        parts, before = story.parts, None
        chapters: dict[str, Chapter] = {}
        for part in PARTS:
            missing = f"{part.title}: not run yet. To run it: {command_for(part, story)}"
            chapters[part.key] = Chapter(part.title, parts[part.key], before, missing)
            before = parts[part.key] or before
        none = "no run of the single track has a clean certificate yet."
        self.first, self.one, self.two = (chapters[part.key] for part in PARTS)
        self.best = self._after_first("Best recipe", "best", none)
        self.inside = self._after_first("Looking inside", "inside", f"{none[:-1]} and its analyses.")

    def _after_first(self, title: str, key: str, missing: str) -> Chapter:
        run, first = self.story.parts[key], self.story.parts["first"]
        return Chapter(title, run, None if run is first else first, f"{title}: {missing}")

    def __repr__(self) -> str:
        return f"{inputs_line(self.story, self.origin)}\n\n{self.overview()}"

    def overview(self) -> Shown:
        """Every run on these titles, the highest exact loss first."""
        names = ("exact_val_loss", "official_val_loss", "val_scored_fraction")
        rows = [["run", *(f"{METRICS[n].label} ({METRICS[n].unit})" for n in names)]]
        for published in self.story.everything:
            figures = published.result.figures.by_name()
            rows.append([named(published.result), *(format_metric(name, figures[name]) for name in names)])
        return Shown(aligned(rows))

    def ladder(self) -> Shown:
        """What each technique of the ladder gave over the one before it, at the scale at which most were run."""
        rungs = longest(self.story.ladders)
        if not rungs:
            return Shown("No two recipes of the ladder were run on these titles: sevenepochs ladder --dry-run")
        return Shown(f"{scale_of(rungs)}\n\n{aligned([HEAD, *rows(rungs)])}", ladder_figure(rungs))

    def where(self, breakdown: str) -> Shown:
        """The loss by position in the title, by kind of title, and so on (`plots.where_loss`), all parts together."""
        return _where(cast(self.story), breakdown)


def cast(story: Story) -> list[Published]:
    """The runs that play a part, each once, in the order of the story."""
    return list({p.result.name: p for p in story.parts.values() if p is not None}.values())


def inputs_line(story: Story, origin: str) -> str:
    """Which results something was made from; the report reads it back to tell whether a notebook is up to date."""
    named = [f"{key}={f'{p.result.name}@{p.digest}' if p else 'missing'}" for key, p in story.parts.items()]
    return f"inputs ({origin}): {' '.join(named)} all={story.digest}"


def _called(published: Published) -> str:
    return called(published.result)


def _figures(before: Published | None, run: Published) -> Shown:
    runs = [p for p in (before, run) if p is not None]
    facts = [p.result.facts for p in runs]
    figures = [f.figures.by_name() for f in facts]
    rows = [["figure", *(_called(p) for p in runs), "unit"]]
    for name, metric in METRICS.items():
        if any(name in f for f in figures):
            rows.append([metric.label, *(format_metric(name, f.get(name)) for f in figures), metric.unit])
    for name in ("parameters", "n_steps"):
        rows.append([METRICS[name].label, *(format_metric(name, getattr(f, name)) for f in facts), ""])
    minutes = (format_metric("elapsed_minutes", f.elapsed_seconds / 60) for f in facts)
    return Shown(aligned([*rows, ["time", *minutes, "min"]]))


def _change(before: Published | None, run: Published) -> Shown:
    if before is None:
        return Shown("nothing before it to compare with")
    changed = config_diff(before.result.config, run.result.config)
    return Shown(changed or "the two configs are the same")


def _loss_curve(before: Published | None, run: Published) -> Shown:
    return _curve("exact_val_loss", before, run)


def _training_curve(before: Published | None, run: Published) -> Shown:
    return _curve("train_loss_nats_per_token", before, run)


def _curve(metric: str, before: Published | None, run: Published) -> Shown:
    runs = [p for p in (before, run) if p is not None]
    floor = run.result.figures.floor_val_loss if metric == "exact_val_loss" else None
    lines = {"floor": floor} if floor is not None else None
    svg = curves.figure({_called(p): p.curve for p in runs}, metric, lines=lines)
    last = ", ".join(f"{_called(p)} {_last(p, metric)}" for p in runs)
    return Shown(f"{METRICS[metric].label} at the last step: {last}", svg)


def _last(published: Published, metric: str) -> str:
    return format_metric(metric, next(row[metric] for row in reversed(published.curve) if row[metric] is not None))


def _predictions(run: Published | None, row: int, position: int) -> Shown:
    if run is None:
        return Shown("there is no run before this one")
    places = run.analyses.get("next_token", {}).get("places", [])
    place = next((p for p in places if (p["row"], p["position"]) == (row, position)), None)
    if place is None:
        return Shown(
            f"{run.result.name} was not analysed at {row},{position}; publish the run again: sevenepochs publish"
        )
    rows = [[repr(t["token"]), format_metric("probability", t["probability"])] for t in place["top"]]
    truth = place["truth"]
    rows.append(
        [f"truth {truth['token']!r}, rank {truth['rank']:,}", format_metric("probability", truth["probability"])]
    )
    return Shown(aligned(rows), next_token.figure(place, _called(run)))


def _input_tokens(run: Published) -> Shown:
    data = run.analyses.get("token_frequency")
    if data is None:
        return Shown(f"{run.result.name} was not analysed; publish the run again: sevenepochs publish")
    rows = [[repr(t["token"]), f"{t['count']:,}", format_metric("share", t["share"])] for t in data["top"]]
    return Shown(aligned(rows), token_frequency.figure(data))


def _analysed(run: Published, name: str, draw: Callable[[Any, str], str]) -> Shown:
    content = run.analyses.get(name)
    if content is None:
        return Shown(f"{run.result.name} was published without the analysis {name}; publish the run again")
    return Shown(content.get("sentence") or f"{name} of {_called(run)}", draw(content, _called(run)))


def _where(runs: list[Published], breakdown: str) -> Shown:
    analysed = {_called(p): p.analyses["where_loss"] for p in runs if "where_loss" in p.analyses}
    if not analysed:
        return Shown("no run was published with the analysis where_loss; publish the runs again")
    first = next(iter(analysed.values()))
    found = next(b for b in (*first["tokens"], *first["titles"]) if b["name"] == breakdown)
    key, metric = (
        ("nats_per_char", "exact_val_loss") if "n_titles" in found["parts"][0] else ("nats_per_token", "nats_per_token")
    )
    rows = [[found["label"], *(f"{name} ({METRICS[metric].unit})" for name in analysed)]]
    for part in found["parts"]:
        cells = (_part(content, breakdown, part["name"], key) for content in analysed.values())
        rows.append([part["label"], *(format_metric(metric, cell) for cell in cells)])
    return Shown(aligned(rows), where_loss.figure(analysed, breakdown))


def _part(content: Mapping[str, Any], breakdown: str, part: str, key: str) -> float | None:
    found = next(b for b in (*content["tokens"], *content["titles"]) if b["name"] == breakdown)
    return next((float(p[key]) for p in found["parts"] if p["name"] == part), None)


def _certificate(run: Published) -> Shown:
    rules = run.certificate["rules"]
    return Shown(
        "\n".join(f"{'held' if rule['ok'] else 'BROKEN':6}  {rule['rule']}: {rule['detail']}" for rule in rules)
    )
