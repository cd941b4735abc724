"""Calibration: when the model is 30 % sure of its best token, is it right 30 % of the time? No torch.

Reliability diagram and expected calibration error as in Guo et al. 2017 (arXiv:1706.04599): positions are sorted into
15 equal bins by the probability of the most probable token; the error is the mean over positions of the distance
between a bin's mean probability and its share of right answers.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sevenepochs.metrics import format_metric
from sevenepochs.questions import terminal
from sevenepochs.questions.figures.style import BLUE, FAINT, SKY, Figure, draw, errors, note, percent
from sevenepochs.questions.question import Case, Content, Question

N_BINS = 15


def compute(case: Case) -> dict[str, Any]:
    """Return `bins` (each with `low`, `high`, `n`, and where n > 0 `confidence`, `accuracy` and its 95 % interval by
    Wilson), `expected_calibration_error`, mean `confidence`, `accuracy`, `n_tokens`."""
    confidence_N = case.observed.top_probability_N
    right_N = case.observed.top_N == case.ids_N
    bin_N = np.minimum((confidence_N * N_BINS).astype(int), N_BINS - 1)
    bins, gaps = [], []
    for index in range(N_BINS):
        inside = bin_N == index
        n = int(inside.sum())
        row: dict[str, Any] = {"low": index / N_BINS, "high": (index + 1) / N_BINS, "n": n}
        if n:
            confidence, accuracy = float(confidence_N[inside].mean()), float(right_N[inside].mean())
            row |= {"confidence": confidence, "accuracy": accuracy, "interval": wilson(accuracy, n)}
            gaps.append(n * abs(confidence - accuracy))
        bins.append(row)
    return {
        "n_tokens": len(case.ids_N),
        "expected_calibration_error": math.fsum(gaps) / len(case.ids_N),
        "confidence": float(confidence_N.mean()),
        "accuracy": float(right_N.mean()),
        "bins": bins,
    }


def wilson(share: float, n: int) -> list[float]:
    """Return the 95 % interval of a share out of n independent cases (Wilson 1927); never outside [0, 1]."""
    from scipy.stats import binomtest  # half a second

    low, high = binomtest(round(share * n), n).proportion_ci(method="wilson")
    return [float(low), float(high)]


def figure(content: Content, run: str | None = None) -> str:
    bins = [row for row in content["bins"] if row["n"]]

    def build(figure: Figure) -> None:
        axes, counts = figure.subplots(2, 1, sharex=True, height_ratios=(3, 1))
        axes.plot([0, 1], [0, 1], color=FAINT, linewidth=1, linestyle="--", label="as sure as it should be")
        confidence, right, intervals = ([row[key] for row in bins] for key in ("confidence", "accuracy", "interval"))
        look = {"color": BLUE, "marker": "o", "capsize": 3, "linewidth": 1.4}
        axes.errorbar(
            confidence, right, yerr=errors(right, intervals), label="best token right (95 % interval)", **look
        )
        axes.legend(loc="best")  # a model that is always unsure fills the left, an overconfident one the right
        title = "Calibration of the best token" + (f": {run}" if run else "")
        axes.set(ylim=(0, 1.03), ylabel="share right", title=title)  # a whole marker at 1
        lows, ns = ([row[key] for row in content["bins"]] for key in ("low", "n"))
        counts.bar(lows, ns, 0.94 / len(lows), align="edge", color=SKY)
        counts.set_yscale("symlog", linthresh=1)
        counts.set_ylim(0, 2 * max(ns))
        counts.set_yticks([10**power for power in range(0, len(str(max(ns))), 2)])
        counts.yaxis.set_major_formatter("{x:,.0f}")
        counts.minorticks_off()
        counts.set(ylabel="tokens", xlabel="probability of the best token", xlim=(0, 1))
        found = f"right {percent(content['accuracy'])}, sure {percent(content['confidence'])} on average"
        error = percent(content["expected_calibration_error"])
        note(counts, f"expected calibration error {error} over {len(content['bins'])} bins; {found}")

    return draw(build, 5.4, "Reliability diagram of the most probable next token")


def view(content: Content) -> terminal.View:
    def cells(row: dict[str, Any]) -> list[str]:
        low, high, mean, right = (format_metric("share", row[key]) for key in ("low", "high", "confidence", "accuracy"))
        return [f"{low} to {high}", f"{row['n']:,}", mean, right, terminal.interval_cell("share", row["interval"])]

    columns = ("best token's probability", ">tokens", ">mean", ">right", ">95 % interval")
    table = terminal.table(columns, (cells(row) for row in content["bins"] if row["n"]))
    error = format_metric("calibration_error", content["expected_calibration_error"])
    return terminal.stack(f"Calibration of the best token: expected error {error}", table)


CALIBRATION = Question("calibration", "how often it is right, by how sure it is (the same pass)", compute, view, figure)
