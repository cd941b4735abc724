"""Layer by layer: the loss of the logit lens, and how much of each head's attention goes where."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from sevenepochs.metrics import format_metric
from sevenepochs.questions.figures.style import BLUE, FAINT, GREEN, ORANGE, PURPLE, VERMILLION, draw, heading, note

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# key, label, colour, marker, and how far beside its block a kind stands
_SHARES = (
    ("eos_share", "on <eos>", BLUE, "o", -0.2),
    ("previous_share", "on the token before", ORANGE, "s", 0.0),
    ("self_share", "on itself", GREEN, "^", 0.2),
)
_EVEN = {"color": FAINT, "linewidth": 1, "linestyle": ":", "label": "looking everywhere alike"}
_BESIDE = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0)}


def figure(data: Mapping[str, Any], name: str | None = None) -> str:
    """The SVG of analysis/layers.json; `name`: the run's, for the title."""
    heads, even = data["heads"], data["even"]

    def build(figure: Figure) -> None:
        lens, shares, distances = figure.subplots(3, 1, sharex=True, height_ratios=(1.2, 1.4, 1))
        _losses(lens, [row["nats_per_token"] for row in data["lens"]])
        for key, label, colour, marker, shift in _SHARES:
            percents = [[100 * share for share in row] for row in heads[key]]
            _heads(shares, percents, shift, color=colour, marker=marker, label=label)
        shares.axhline(100 * even["share"], **_EVEN)
        shares.set_ylim(-4, 104)  # whole markers at either end
        shares.set_ylabel("attention (%)")
        shares.set_title("Where each head looks")
        shares.legend(**_BESIDE)
        _heads(distances, heads["mean_distance"], 0.0, color=PURPLE, marker="D", label="one head")
        distances.axhline(even["mean_distance"], **_EVEN)
        distances.set_ylim(0, None)
        distances.set_ylabel("tokens back")
        distances.set_title("How far back, on average")
        distances.legend(**_BESIDE)
        names = [row["name"].removeprefix("block ") for row in data["lens"]]
        distances.set_xticks(range(len(names)), names)
        distances.set_xlabel("block")
        text = "Layer by layer" + (f": {name}" if name else "")
        heading(figure, text)
        note(
            lens,
            f"{data['n_titles']:,} validation titles, each read alone: {data['n_tokens']:,} tokens; the last lens is "
            "the model itself, early layers\nwere never trained to be read; shares and distances over all queries but "
            "each title's first",
        )

    return draw(build, 7.4, "Loss of the logit lens after each layer, and where and how far back each head looks")


def _losses(axes: Axes, losses: Sequence[float]) -> None:
    axes.plot(range(len(losses)), losses, color=VERMILLION, marker="o", label="lens")
    for layer, loss in enumerate(losses):
        axes.annotate(
            format_metric("nats_per_token", loss),
            (layer, loss),
            xytext=(0, 6),
            textcoords="offset points",
            ha="center",
            fontsize=9,
        )
    axes.set_ylim(0, 1.18 * max(losses))
    axes.set_ylabel("loss (nats/token)")
    axes.set_title("What the answer of each layer loses")
    axes.legend(**_BESIDE)


def _heads(axes: Axes, values_LH: Sequence[Sequence[float]], shift: float, **look: Any) -> None:
    """A mark a head, beside its block (the first is number 1)."""
    places = [block + shift for block, row in enumerate(values_LH, start=1) for _ in row]
    axes.scatter(places, [value for row in values_LH for value in row], s=22, alpha=0.8, **look)
