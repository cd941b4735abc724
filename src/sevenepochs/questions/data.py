"""What the model reads: lengths, words, tokens and kinds of the training titles. Two questions, since the most frequent
tokens have a file of their own. No torch.

Only training titles are counted: the validation titles are not for looking at.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sevenepochs.data.corpus.describe import frequent_words
from sevenepochs.data.titles import break_down
from sevenepochs.data.tokenizer.base import Tokenizer
from sevenepochs.metrics import format_metric
from sevenepochs.questions import terminal
from sevenepochs.questions.figures.style import BLUE, GREEN, ROW_IN, VERMILLION, bars, draw, note, percent, token_label
from sevenepochs.questions.question import Content, Question

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from rich.console import RenderableType
    from rich.table import Table
    from rich.text import Text

_MAX_BARS = 40
_SPARKLINE_CELLS = 20
_BLOCKS = " ▁▂▃▄▅▆▇█"


def analyze(titles: Sequence[str], tokenizer: Tokenizer, train_ids: np.ndarray) -> dict[str, Any]:
    """The training split in numbers.

    Args:
        train_ids: the titles' stream, as `Tokenizer.encode_stream` gives it.

    Returns:
        `n_titles`, `n_tokens`, `eos_share`, `chars_per_token` (titles' text without `<eos>`), `vocabulary` (`size`,
        `used`, `used_once`), `title_chars` and `title_tokens` (`min`, `median`, `mean`, `p95`, `max`, `histogram` with
        `width` and `counts` from 0 on), `words` and `tokens` (the most frequent), `kinds` (breakdowns with the share of
        titles of each kind).
    """
    counts_V = np.bincount(train_ids, minlength=tokenizer.vocab_size)
    chars = np.array([len(title) for title in titles])
    ends = np.flatnonzero(train_ids == tokenizer.eos_id)
    tokens = np.diff(ends, prepend=-1) - 1
    frequent = most_frequent(tokenizer, train_ids)
    n_text_tokens = len(train_ids) - len(ends)
    return {
        "n_titles": len(titles),
        "n_tokens": len(train_ids),
        "eos_share": frequent["eos_share"],
        "chars_per_token": float(chars.sum() / max(1, n_text_tokens)),
        "vocabulary": {
            "size": tokenizer.vocab_size,
            "used": int((counts_V > 0).sum()),
            "used_once": int((counts_V == 1).sum()),
        },
        "title_chars": _lengths(chars),
        "title_tokens": _lengths(tokens),
        "words": [{"word": word, "count": count} for word, count in frequent_words(titles)],
        "tokens": frequent["top"],
        "kinds": [
            {
                "name": b.name,
                "label": b.label,
                "parts": [
                    {"name": kind.name, "label": kind.label, "n_titles": int(n), "share": float(n / len(titles))}
                    for kind, n in zip(b.kinds, np.bincount(b.of_title, minlength=len(b.kinds)), strict=True)
                    if n
                ],
            }
            for b in break_down(titles, ())
            if b.name != "known"
        ],
    }


def most_frequent(tokenizer: Tokenizer, train_ids: np.ndarray, k: int = 20) -> dict[str, Any]:
    """The k most frequent tokens with counts and shares, `<eos>` among them."""
    counts_V = np.bincount(train_ids, minlength=tokenizer.vocab_size)
    order = np.argsort(-counts_V, kind="stable")[:k]
    return {
        "n_tokens": len(train_ids),
        "eos_share": float(counts_V[tokenizer.eos_id] / len(train_ids)),
        "top": [
            {
                "id": int(i),
                "token": tokenizer.decode([int(i)]),
                "count": int(counts_V[i]),
                "share": float(counts_V[i] / len(train_ids)),
            }
            for i in order
        ],
    }


def _lengths(values: np.ndarray) -> dict[str, Any]:
    """Summary and histogram; p95 by nearest rank. The last bar holds whatever is longer."""
    ordered = np.sort(values)
    width = max(1, -(-int(np.percentile(ordered, 99.5)) // _MAX_BARS))
    return {
        "min": int(ordered[0]),
        "median": float(np.median(ordered)),
        "mean": float(ordered.mean()),
        "p95": int(ordered[-(-95 * len(ordered) // 100) - 1]),
        "max": int(ordered[-1]),
        "histogram": {
            "width": width,
            "counts": np.bincount(np.minimum(ordered // width, _MAX_BARS)).tolist(),
        },
    }


def figure(content: Content, run: str | None, part: str) -> str:
    """The SVG of a part of analysis/data.json: "lengths" (two histograms) or "words" (the most frequent)."""
    return _lengths_figure(content) if part == "lengths" else _words_figure(content)


def _lengths_figure(content: Content) -> str:

    def build(figure: Figure) -> None:
        chars, tokens = figure.subplots(1, 2)
        _histogram(chars, content["title_chars"], "characters", BLUE)
        _histogram(tokens, content["title_tokens"], "tokens", GREEN)
        chars.set_ylabel("titles")
        chars.set_title("Characters a title")
        tokens.set_title("Tokens a title")
        note(
            chars,
            f"{content['n_titles']:,} training titles, {content['n_tokens']:,} tokens with <eos>; "
            f"{format_metric('chars_per_token', content['chars_per_token'])} characters a token; "
            "the last bar holds all longer ones",
        )

    return draw(build, 3.6, "Histograms of the training titles' lengths in characters and in tokens")


def _words_figure(content: Content) -> str:
    rows = content["words"]

    def build(figure: Figure) -> None:
        axes = figure.subplots()
        bars(
            axes,
            [row["word"] for row in rows],
            [row["count"] for row in rows],
            [f"{row['count']:,}" for row in rows],
            color=BLUE,
        )
        axes.set_title(f"The {len(rows)} most frequent words of the training titles")
        axes.set_xlabel("occurrences, upper and lower case together")
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        note(axes, f"{content['n_titles']:,} titles; <eos> is {percent(content['eos_share'])} of the tokens")

    return draw(build, 1.4 + ROW_IN * len(rows), f"Bar chart of the {len(rows)} most frequent words")


def _histogram(axes: Axes, summary: Mapping[str, Any], unit: str, colour: str) -> None:
    width, counts = summary["histogram"]["width"], summary["histogram"]["counts"]
    axes.bar([i * width for i in range(len(counts))], counts, width * 0.92, align="edge", color=colour)
    axes.axvline(summary["median"], color="black", linewidth=1, linestyle="--")
    axes.annotate(
        f"median {summary['median']:g}",
        (summary["median"], 1.0),
        xycoords=("data", "axes fraction"),
        xytext=(4, -4),
        textcoords="offset points",
        va="top",
        fontsize=9,
    )
    axes.set_xlabel(unit)
    axes.set_xlim(0, len(counts) * width)
    axes.set_ylim(0, max(counts) * 1.14)
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.grid(visible=False, axis="x")


def frequency_figure(content: Content, run: str | None = None) -> str:
    """The SVG of analysis/token_frequency.json: `n_tokens`, `top` (rows of `token`, `count`, `share`)."""
    rows = content["top"]

    def build(figure: Figure) -> None:
        axes = figure.subplots()
        colours = [VERMILLION if row["token"] == "<eos>" else BLUE for row in rows]
        texts = [f"{percent(row['share'])} ({row['count']:,})" for row in rows]
        bars(axes, [token_label(row["token"]) for row in rows], [row["share"] for row in rows], texts, color=colours)
        axes.set_xlim(0, max(row["share"] for row in rows) * 1.28)
        axes.set_title(f"The {len(rows)} most frequent training tokens")
        axes.set_xlabel("share of all training tokens, and count")
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
        note(axes, f"{content['n_tokens']:,} tokens an epoch; <eos> ends every title; · is a space")

    return draw(build, 1.5 + ROW_IN * len(rows), f"Bar chart of the {len(rows)} most frequent training tokens")


def view(content: Content) -> RenderableType:
    """Counts, lengths as small histograms, kinds of titles, most frequent words and tokens."""
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    vocabulary = content["vocabulary"]
    facts = [
        f"{content['n_titles']:,} training titles, {content['n_tokens']:,} tokens an epoch, "
        f"{format_metric('share', content['eos_share'])} of them <eos>; "
        f"{format_metric('chars_per_token', content['chars_per_token'])} characters a token",
        f"{vocabulary['size']:,} tokens in the vocabulary, {vocabulary['used']:,} used, "
        f"{vocabulary['used_once']:,} only once",
    ]
    lengths = terminal.table("a title has", ">least", ">median", ">mean", ">95 %", ">most", "distribution")
    for label, key in (("characters", "title_chars"), ("tokens", "title_tokens")):
        row = content[key]
        numbers = (f"{row[name]:,.4g}" for name in ("min", "median", "mean", "p95", "max"))
        lengths.add_row(label, *numbers, _sparkline(row["histogram"]["counts"]))
    kinds = terminal.table("titles by", "kind", ">share", "")
    for breakdown in content["kinds"]:
        label = breakdown["label"]
        for part in breakdown["parts"]:
            kinds.add_row(label, Text(part["label"]), *terminal.share_cells(part["share"]))
            label = ""
    words = _ranking("word", [(row["word"], row["count"]) for row in content["words"]])
    tokens = _ranking("token", [(terminal.visible(row["token"]), row["count"]) for row in content["tokens"]])
    side = Table.grid(padding=(0, 4))
    side.add_row(words, tokens)
    return Group(terminal.heading("What the model reads"), *map(Text, facts), lengths, "", kinds, "", side)


def frequency_text(content: Content) -> list[list[str]]:
    """Rows of token, count and share."""
    return [[repr(row["token"]), f"{row['count']:,}", format_metric("share", row["share"])] for row in content["top"]]


def _ranking(what: str, rows: Iterable[tuple[str, int]]) -> Table:
    from rich.text import Text

    table = terminal.table(what, ">count")
    for text, count in rows:
        table.add_row(Text(terminal.plain(text)), f"{count:,}")
    return table


def _sparkline(counts: list[int]) -> Text:
    """A histogram in at most 20 characters."""
    from rich.text import Text

    width = -(-len(counts) // _SPARKLINE_CELLS)
    cells = [sum(counts[i : i + width]) for i in range(0, len(counts), width)]
    most = max(cells) or 1
    return Text("".join(_BLOCKS[-(-8 * cell // most)] for cell in cells), no_wrap=True)


DATA = Question(
    "data",
    "what the model reads: lengths, words, kinds of titles",
    lambda case: analyze(case.data.split.train, case.data.tokenizer, case.data.train_ids),
    view,
    figure,
    parts=lambda content: ("lengths", "words"),
)
TOKEN_FREQUENCY = Question(
    "token_frequency",
    "the most frequent training tokens",
    lambda case: most_frequent(case.data.tokenizer, case.data.train_ids),
    view=None,  # the view of `data` shows them
    figure=frequency_figure,
    text=frequency_text,
)
