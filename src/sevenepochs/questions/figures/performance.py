"""Speed: tokens a second side by side, a step's time over the model's size, preparation over the number of titles."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from sevenepochs.metrics import format_metric
from sevenepochs.questions.figures import style


def steps(contestants: Sequence[Mapping[str, Any]], machine: str) -> str:
    """Return the SVG of a side-by-side run.

    Args:
        contestants: `name`, `tokens_per_second`, and its least and most over the rounds, `low` and `high`.
        machine: what and how, for the small print.
    """

    def build(figure: style.Figure) -> None:
        axes = figure.subplots()
        values = [one["tokens_per_second"] for one in contestants]
        style.bars(axes, [one["name"] for one in contestants], values, [""] * len(values), color=style.SKY)
        for place, one in enumerate(contestants):
            axes.hlines(place, one["low"], one["high"], color=style.INK, linewidth=2)
            beyond = max(one["tokens_per_second"], one["high"])
            style.label(axes, format_metric("tokens_per_second", one["tokens_per_second"]), (beyond, place), 5)
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.set_xlim(0, 1.15 * max(one["high"] for one in contestants))
        axes.set_title("Training tokens a second, the same step")
        axes.set_xlabel("tokens a second (line: least and most over the rounds)")
        style.note(axes, machine)

    height = 1.7 + 1.4 * style.ROW_IN * len(contestants)
    return style.draw(build, height, f"Training tokens a second of {', '.join(one['name'] for one in contestants)}")


def sizes(rows: Sequence[Mapping[str, Any]], machine: str) -> str:
    """Return the SVG of a step's seconds over d_model and over the block size, both at one number of tokens.

    Args:
        rows: `d_model`, `block_size`, `seconds`, `flop`; the stock shape's row belongs to both series.
    """
    most = {key: statistics.mode(row[key] for row in rows) for key in ("d_model", "block_size")}
    stock = next(row for row in rows if all(row[key] == value for key, value in most.items()))
    rate = stock["flop"] / stock["seconds"]
    by_width = [row for row in rows if row["block_size"] == most["block_size"]]
    by_block = [row for row in rows if row["d_model"] == most["d_model"]]

    def build(figure: style.Figure) -> None:
        left, right = figure.subplots(1, 2, sharey=True)  # what little the block size costs is to look little
        _over(left, by_width, rate, "d_model", f"block size {most['block_size']}")
        _over(right, by_block, rate, "block_size", f"d_model {most['d_model']}")
        # 1, 2 and 5 times powers of ten, written out: matplotlib's formulas are not our text
        low, high = left.get_ylim()
        ticks = [digit * 10.0**power for power in range(-6, 4) for digit in (1, 2, 5)]
        ticks = [tick for tick in ticks if low <= tick <= high]
        left.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
        left.set(ylabel="seconds a step", title="Over the model's width")
        right.set_title("Over the block size")
        style.note(left, f"dashed: the arithmetic at the stock shape's rate; {machine}")

    return style.draw(build, 3.6, "Seconds of a training step over the model's width and over the block size")


def preparation(rows: Sequence[Mapping[str, Any]], machine: str) -> str:
    """Return the SVG of preparation's stages over the number of titles.

    Args:
        rows: `n_titles`, and `seconds` by stage, the whole of it among them.
    """

    def build(figure: style.Figure) -> None:
        axes = figure.subplots()
        n_titles = [row["n_titles"] for row in rows]
        curves = {stage: [row["seconds"][stage] for row in rows] for stage in rows[0]["seconds"]}
        for (stage, values), (colour, marker, line) in zip(curves.items(), style.series(), strict=False):
            name = f"{stage}: {format_metric('preparation_seconds', values[-1], unit=True)} at the end"
            axes.plot(n_titles, values, color=colour, marker=marker, linestyle=line, label=name)
        axes.set(xlim=(0, None), ylim=(0, None))
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.set(xlabel="titles", ylabel="seconds", title="From a file of titles to token ids")
        axes.legend(loc="upper left")
        style.note(axes, machine)

    described = "Seconds of reading titles, training a tokenizer and encoding over the number of titles"
    return style.draw(build, 3.8, described)


def _over(axes: style.Axes, rows: Sequence[Mapping[str, Any]], rate: float, key: str, fixed: str) -> None:
    rows = sorted(rows, key=lambda row: row[key])
    places = [row[key] for row in rows]
    axes.plot(places, [row["flop"] / rate for row in rows], color=style.FAINT, linewidth=1.2, linestyle=(0, (5, 3)))
    axes.plot(places, [row["seconds"] for row in rows], color=style.BLUE, marker="o")
    for row in rows:
        text = format_metric("step_seconds", row["seconds"])
        style.label(axes, text, (row[key], row["seconds"]), -6, 3, ha="right", va="baseline", fontsize=8.5)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(places, [str(place) for place in places])
    axes.minorticks_off()
    axes.margins(x=0.3, y=0.15)
    axes.set_xlabel(f"{key.replace('_', ' ') if key != 'd_model' else key} ({fixed})")
