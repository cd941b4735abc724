"""Shared by all figures: size, colours, type, and SVG that comes out byte for byte the same from the same data.

A figure stands on its own: title, units, legend. It brings its own white ground, so it reads the same on a light page,
a dark page and in an image viewer. Text stays text (selectable, searchable); viewers without DejaVu take the next
sans-serif, all of which are narrower. Colours are those of Okabe and Ito (2008), told apart with any kind of colour
vision; series differ in marker or line style as well.
"""

from __future__ import annotations

import io
import itertools
import math
import re
import warnings
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, TypeAlias
from xml.sax.saxutils import escape

from sevenepochs.errors import UserError, install
from sevenepochs.metrics import format_metric
from sevenepochs.questions.terminal import visible

if TYPE_CHECKING:
    import matplotlib.axes
    import matplotlib.figure

Axes: TypeAlias = "matplotlib.axes.Axes"
Figure: TypeAlias = "matplotlib.figure.Figure"
PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY, BLACK = PALETTE
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
LINES = ("-", "--", "-.", ":", (0, (5, 1)), (0, (3, 1, 1, 1)), (0, (1, 1)))
INK, FAINT = "#222222", "#666666"  # text and lesser text; both pass WCAG AA on white
ROW_IN = 0.26  # a bar with its label
_LEGEND_COLUMNS = 4

_RC = {
    "svg.hashsalt": "sevenepochs",
    "svg.fonttype": "none",
    "text.parse_math": False,  # titles carry dollar signs
    "font.family": ["DejaVu Sans"],  # ships with matplotlib: the same metrics everywhere
    "font.size": 10,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 10,
    "axes.labelsize": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.8,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "text.color": INK,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
}
_CLIP_ATTRIBUTES = re.compile(r"\n\s+(?=(?:width|height|viewBox|version|xmlns))")
# What XML forbids, and what is shown instead: control characters as their pictures (U+2400 on). matplotlib escapes
# markup only.
_FORBIDDEN = {
    **{code: chr(0x2400 + code) for code in range(0x20) if chr(code) not in "\t\n\r"},
    **dict.fromkeys((0xFFFE, 0xFFFF), "\N{REPLACEMENT CHARACTER}"),
}


def draw(build: Callable[[Figure], None], height_in: float, description: str, width_in: float = 7.2) -> str:
    """Return the SVG of what `build` puts into an empty figure.

    Args:
        build: adds axes and artists; matplotlib's settings are ours while it runs.
        description: one sentence that says what is shown, for screen readers.

    Raises:
        UserError: matplotlib is not installed.
    """
    try:
        import matplotlib.figure
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.layout_engine import ConstrainedLayoutEngine
    except ImportError:
        raise UserError(f"figures need matplotlib: {install('plots')}") from None
    # from the library's defaults: a user's matplotlibrc must not change our figures
    with matplotlib.rc_context({**matplotlib.rcParamsDefault, **_RC}):
        layout = ConstrainedLayoutEngine(w_pad=0.12, h_pad=0.1)
        figure = matplotlib.figure.Figure(figsize=(width_in, height_in), layout=layout)
        FigureCanvasSVG(figure)
        build(figure)
        text = io.StringIO()
        with warnings.catch_warnings():
            # the viewer draws the text, with whatever fonts it has for Chinese or emoji
            warnings.filterwarnings("ignore", message="Glyph")
            figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return _named(text.getvalue(), description)


def bars(axes: Axes, labels: Sequence[str], values: Sequence[float], texts: Sequence[str], **style: Any) -> None:
    """Draw horizontal bars from the top down, each with its text at its end; the x axis starts at 0."""
    axes.barh(range(len(labels)), values, height=0.72, **style)
    name_rows(axes, labels)
    axes.tick_params(axis="y", length=0)
    limit = max(values, default=0.0) or 1.0
    axes.set_xlim(0, limit * 1.16)  # room for the longest bar's text
    for place, (value, text) in enumerate(zip(values, texts, strict=True)):
        label(axes, text, (value, place))


def name_rows(axes: Axes, labels: Sequence[str], *, grid: bool = False) -> None:
    """Name the rows of a chart from the top down, at 0, 1, 2 and so on."""
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(visible=grid, axis="y")


def label(axes: Axes, text: str, at: tuple[float, float], right: float = 4, up: float = 0, **style: Any) -> None:
    """Write `text` so many points to the right of a place in the chart, and above it."""
    style = {"va": "center", "fontsize": 9, **style}
    axes.annotate(text, at, xytext=(right, up), textcoords="offset points", **style)


def errors(values: Sequence[float], intervals: Sequence[Sequence[float]]) -> list[list[float]]:
    """Return how far intervals reach below and above their values, for `errorbar`; never below 0 after rounding."""
    below = [max(0.0, value - low) for value, (low, _) in zip(values, intervals, strict=True)]
    return [below, [max(0.0, high - value) for value, (_, high) in zip(values, intervals, strict=True)]]


def heading(figure: Figure, text: str, legend_of: Axes | None = None) -> None:
    """Write what a figure of several parts is about above all of them; under it the legend of one of them, if given."""
    handles, labels = legend_of.get_legend_handles_labels() if legend_of is not None else ([], [])
    rows = math.ceil(len(labels) / _LEGEND_COLUMNS)
    figure.suptitle(text + "\n" * rows, x=0.01, ha="left", fontsize=11, fontweight="bold")  # lines for the legend
    if labels:
        under_heading = 1 - 0.25 / figure.get_figheight()
        figure.legend(handles, labels, loc="upper left", bbox_to_anchor=(0.0, under_heading), ncols=_LEGEND_COLUMNS)


def note(axes: Axes, text: str) -> None:
    """Write a line of small print below the axes, for readers who see the figure alone."""
    axes.figure.supxlabel(text, fontsize=8.5, color=FAINT, x=0.01, ha="left")


def percent(value: float) -> str:
    """Return a share as people read it: 13.10%, 0.87%, < 0.01%."""
    return format_metric("probability", value)


def token_label(token: str, longest: int = 24) -> str:
    """Return a token with visible spaces: leading and trailing ones are middle dots, line ends are escaped."""
    text = visible(token) or "(nothing)"
    return text if len(text) <= longest else text[: longest - 1] + "…"


def series() -> Any:
    """Return endless (colour, marker, line style) triples; the first seven differ in all three."""
    return itertools.cycle(zip(PALETTE, MARKERS, LINES, strict=True))


def _named(svg: str, description: str) -> str:
    """Return the SVG with a role and a title for screen readers, without the XML prologue, so that it can stand inside
    HTML, and without characters that XML forbids."""
    svg, description = svg.translate(_FORBIDDEN), description.translate(_FORBIDDEN)
    start = svg.index("<svg")
    end = svg.index(">", start)
    head = _CLIP_ATTRIBUTES.sub(" ", svg[start:end])
    body = "\n".join(line.rstrip() for line in svg[end + 1 :].splitlines())
    name = escape(description, {'"': "&quot;"})
    return f'{head} role="img" aria-label="{name}">\n<title>{escape(description)}</title>{body}\n'
