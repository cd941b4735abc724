"""The page on context: what facts beside the title are worth, run beside run. No torch."""

from __future__ import annotations

from sevenepochs.comparison.paired import mean_interval
from sevenepochs.metrics import format_metric
from sevenepochs.questions.terminal import interval_cell
from sevenepochs.recipes.configs import called, unchanged
from sevenepochs.report import tables
from sevenepochs.report.inputs import Published
from sevenepochs.report.story import Story
from sevenepochs.store.choosing import official_first

TRAINED_WITHOUT = "laptop_letters"  # the recipe that those of this track change


def worth_table(story: Story) -> str:
    """Return a row per recipe, scale and what the model is told: the mean loss over seeds, the gain over nothing told
    and its 95 % interval, over seeds where there are several and else over titles; "" where no run was asked."""
    asked: dict[tuple[str, bool], list[Published]] = {}
    published = {p.result.name: p for p in (*story.everything, *story.proxies)}
    for result in official_first(p.result for p in published.values() if "facts" in p.analyses):
        asked.setdefault((called(result), result.is_proxy), []).append(published[result.name])
    rows = []
    for (recipe, is_proxy), runs in asked.items():
        scale = "proxy" if is_proxy else "full"
        for place, told in enumerate(runs[0].analyses["facts"]["losses"]):
            of_seeds = [run.analyses["facts"]["losses"][place] for run in runs]
            interval = mean_interval([row["gain"] for row in of_seeds]) if len(runs) > 1 and "gain" in told else None
            gain = _mean([row["gain"] for row in of_seeds]) if "gain" in told else None
            rows.append(
                [
                    f"`{recipe}`, {scale}",
                    str(len(runs)),
                    told["label"],
                    format_metric("exact_val_loss", _mean([row["exact_val_loss"] for row in of_seeds])),
                    format_metric("val_loss_difference", gain),
                    interval_cell("val_loss_difference", interval or told.get("interval")),
                ]
            )
        without = [p.result for p in published.values() if p.result.plain_recipe == TRAINED_WITHOUT]
        same = [result.exact for result in unchanged(without) if result.titles == runs[0].result.titles]
        if same:
            loss = format_metric("exact_val_loss", _mean(same))
            rows.append([f"`{TRAINED_WITHOUT}`, {scale}", str(len(same)), "trained without", loss, "-", "-"])
    return tables.table(["run", "seeds", "told", "exact", "gain", "95 % interval"], rows) if rows else ""


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)
