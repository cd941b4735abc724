"""Reliability diagram: how often the best token is right, by how probable the model said it is."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sevenepochs.questions.figures.style import BLUE, FAINT, SKY, draw, note, percent

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def figure(data: Mapping[str, Any], name: str | None = None) -> str:
    """The SVG of analysis/calibration.json; `name`: the run's, for the title."""
    bins = [row for row in data["bins"] if row["n"]]

    def build(figure: Figure) -> None:
        axes, counts = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle="--", label="as sure as it should be")
        confidence, accuracy = ([row[key] for row in bins] for key in ("confidence", "accuracy"))
        low = [a - row["interval"][0] for a, row in zip(accuracy, bins, strict=True)]
        high = [row["interval"][1] - a for a, row in zip(accuracy, bins, strict=True)]
        axes.errorbar(
            confidence,
            accuracy,
            yerr=[[max(0.0, v) for v in low], [max(0.0, v) for v in high]],
            color=BLUE,
            marker="o",
            capsize=3,
            linewidth=1.4,
            label="best token right (95 % interval)",
        )
        axes.set_ylim(0, 1.03)  # a whole marker at 1
        axes.set_ylabel("share right")
        axes.legend(loc="best")  # a model that is always unsure fills the left, an overconfident one the right
        axes.set_title("Calibration of the best token" + (f": {name}" if name else ""))
        width = data["bins"][0]["high"] - data["bins"][0]["low"]
        counts.bar(
            [row["low"] for row in data["bins"]],
            [row["n"] for row in data["bins"]],
            width * 0.94,
            align="edge",
            color=SKY,
        )
        counts.set_yscale("symlog", linthresh=1)
        most = max(row["n"] for row in data["bins"])
        counts.set_ylim(0, 2 * most)
        counts.set_yticks([10**power for power in range(0, len(str(most)), 2)])
        counts.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        counts.minorticks_off()
        counts.set_ylabel("tokens")
        counts.set_xlabel("probability of the best token")
        counts.set_xlim(0, 1)
        note(
            counts,
            f"expected calibration error {percent(data['expected_calibration_error'])} over {len(data['bins'])} bins; "
            f"right {percent(data['accuracy'])}, sure {percent(data['confidence'])} on average",
        )

    return draw(build, 5.4, "Reliability diagram of the most probable next token")
