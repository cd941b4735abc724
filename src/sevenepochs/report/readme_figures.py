"""Figures of README.md, docs/ladder.md and docs/choosing.md from results/. No torch.

The headline: the stock recipe, the story's steps, the best public recipe and the record as bars. Loss curves of the
story's and the record recipes. The frontier: loss over FLOPs of every run. These show full runs, on the titles that
most recipes were run on. The ladder: the one with most rungs, at either scale.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import Any

from sevenepochs.comparison.anchors import Anchors
from sevenepochs.comparison.anchors import lines as anchor_lines
from sevenepochs.comparison.ladder import Rung
from sevenepochs.metrics import METRICS, format_metric
from sevenepochs.questions.figures import curves as curves_plot
from sevenepochs.questions.figures import frontier as frontier_plot
from sevenepochs.questions.figures.style import BLUE, FAINT, GREEN, ORANGE, ROW_IN, bars, draw, heading, note
from sevenepochs.recipes import RECORD_RECIPE
from sevenepochs.recipes.configs import called
from sevenepochs.recipes.listing import BEST, LADDER, PUBLIC_BEST
from sevenepochs.report.inputs import read_curve
from sevenepochs.report.ladder_section import figure as ladder_figure
from sevenepochs.report.ladder_section import longest
from sevenepochs.store.choosing import mean_exact, most_recipes, official_first, record
from sevenepochs.store.results import Result

HEADLINE, CURVES, LADDER_FIGURE, FRONTIER = "headline.svg", "loss_curves.svg", "ladder.svg", "frontier.svg"
_STEPS = {
    "baseline": "stock",
    "adamw": "optimizer step",
    "rope": "RoPE step",
    PUBLIC_BEST: "best rule-keeping public recipe",
}
# the story's and the record recipes before others, which come from the ladder's top down
_CURVES_OF = list(dict.fromkeys(["baseline", "adamw", "rope", RECORD_RECIPE, PUBLIC_BEST, BEST, *reversed(LADDER)]))
_MOST_CURVES = 6


def figures(results: list[Result], rungs_of: dict[str, list[Rung]], anchors: Sequence[Anchors] = ()) -> dict[str, str]:
    """Return SVG texts by file name; without a full result there is no headline and no curves, without two rungs no
    ladder. `rungs_of`: the ladder of each set of titles, by the titles' hash. Raises UserError: matplotlib is not
    installed, or a curve.csv is damaged."""
    found = {}
    if chosen := most_recipes(result for result in results if not result.is_proxy):
        lines = anchor_lines(anchors, chosen[0].titles)
        found[HEADLINE] = _headline(chosen, lines)
        title = f"Exact validation loss, {chosen[0].titles_name}"
        curves = {called(one): read_curve(one) for one in _shown(chosen)}
        found[CURVES] = curves_plot.figure(curves, title=title, lines=lines)
        if svg := frontier(chosen):
            found[FRONTIER] = svg
    if rungs := longest(rungs_of.values()):
        found[LADDER_FIGURE] = ladder_figure(rungs)
    return found


def frontier(results: Sequence[Result]) -> str:
    """Return the SVG of exact loss over training FLOPs, of clean runs of the single track on one set of titles; ""
    without two."""
    singles = (r for r in results if r.is_clean and r.facts.track == "single")
    runs = [(called(r), flop, r.exact) for r in singles if (flop := r.facts.training_flop) is not None]
    title = f"Exact loss over training FLOPs, {results[0].titles_name}" if results else ""
    return frontier_plot.figure(runs, title) if len(runs) > 1 else ""


def _headline(results: list[Result], lines: dict[str, float]) -> str:
    """Bars of the mean exact losses and of `lines`, highest first; a recipe without a clean run is left out."""
    clean = [result for result in results if result.is_clean]
    seeds_of = {f"{step}: {name}": [r for r in clean if called(r) == name] for name, step in _STEPS.items()}
    if best := record(results):
        seeds_of[f"record: {called(best[0])}"] = best
    means = {label: mean_exact(seeds) for label, seeds in seeds_of.items() if seeds}
    losses = dict(sorted({**means, **lines}.items(), key=lambda item: -item[1]))
    texts = {label: format_metric("exact_val_loss", loss) for label, loss in losses.items()}
    first = next(iter(means.values()))
    less = {label: format_metric("loss_reduction", 1 - loss / first) for label, loss in losses.items() if loss < first}
    beside = [f"{text} ({less[label]} below stock)" if label in less else text for label, text in texts.items()]
    colours = [_colour(label, lines) for label in losses]

    def build(figure: Any) -> None:
        axes = figure.subplots()
        bars(axes, list(losses), list(losses.values()), beside, color=colours)
        axes.set_xlabel(f"exact validation loss ({METRICS['exact_val_loss'].unit}), lower is better")
        heading(figure, "Validation loss after seven epochs")
        titles = f"the same {results[0].corpus.split.n_validation:,} titles ({results[0].titles_name})"
        note(axes, f"{titles}, every token scored once; means over seeds where several were run")

    told = ", ".join(f"{label} {text}" for label, text in texts.items())
    return draw(build, 1.5 + 1.35 * ROW_IN * len(losses), f"Exact validation loss, nats per character: {told}")


def _colour(label: str, lines: Container[str]) -> str:
    if label in lines:
        return FAINT
    return GREEN if label.startswith("record") else ORANGE if PUBLIC_BEST in label else BLUE


def _shown(results: list[Result]) -> list[Result]:
    """One result per recipe, the official seed's where it was run; recipes of others only where there is none of
    ours, lowest loss first."""
    by_recipe: dict[str, Result] = {}
    for result in official_first(results):
        by_recipe.setdefault(called(result), result)
    ours = [by_recipe[name] for name in _CURVES_OF if name in by_recipe]
    return (ours or sorted(by_recipe.values(), key=lambda result: result.exact))[:_MOST_CURVES]
