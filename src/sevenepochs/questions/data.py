"""The training titles: lengths, words, tokens and kinds. Two questions, since the most frequent tokens have a file of
their own. No torch.

Only training titles are counted: the validation titles are not for looking at.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sevenepochs.data.corpus.describe import frequent_words, lengths
from sevenepochs.data.titles import Breakdown, break_down
from sevenepochs.data.tokenizer.base import Tokenizer
from sevenepochs.metrics import format_metric
from sevenepochs.questions import terminal
from sevenepochs.questions.figures import style
from sevenepochs.questions.question import Content, Question

_MAX_BARS = 40


def in_numbers(titles: Sequence[str], tokenizer: Tokenizer, train_ids: np.ndarray) -> dict[str, Any]:
    """Return training titles in numbers. `train_ids`: their stream, as `Tokenizer.encode_stream` gives it.

    Returns:
        `n_titles`, `n_tokens`, `eos_share`, `chars_per_token` (titles' text without `<eos>`), `vocabulary` (`size`,
        `used`, `used_once`), `title_chars` and `title_tokens` (`min`, `median`, `mean`, `p95`, `max`, `histogram` with
        `width` and `counts` from 0 on), `words` and `tokens` (the most frequent), `kinds` (breakdowns with the share of
        titles of each kind).
    """
    counts_V = np.bincount(train_ids, minlength=tokenizer.vocab_size)
    chars = np.array([len(title) for title in titles])
    ends = np.flatnonzero(train_ids == tokenizer.eos_id)
    frequent = most_frequent(tokenizer, train_ids)
    return {
        "n_titles": len(titles),
        "n_tokens": len(train_ids),
        "eos_share": frequent["eos_share"],
        "chars_per_token": float(chars.sum() / max(1, len(train_ids) - len(ends))),
        "vocabulary": {
            "size": tokenizer.vocab_size,
            "used": int((counts_V > 0).sum()),
            "used_once": int((counts_V == 1).sum()),
        },
        "title_chars": _lengths(chars),
        "title_tokens": _lengths(np.diff(ends, prepend=-1) - 1),
        "words": [{"word": word, "count": count} for word, count in frequent_words(titles)],
        "tokens": frequent["top"],
        "kinds": [_kinds(b, len(titles)) for b in break_down(titles, ()) if b.name != "known"],
    }


def most_frequent(tokenizer: Tokenizer, train_ids: np.ndarray, k: int = 20) -> dict[str, Any]:
    """Return the k most frequent tokens with counts and shares, `<eos>` among them."""
    counts_V = np.bincount(train_ids, minlength=tokenizer.vocab_size)
    top = [(int(id), int(counts_V[id])) for id in np.argsort(-counts_V, kind="stable")[:k]]
    n = len(train_ids)
    return {
        "n_tokens": n,
        "eos_share": float(counts_V[tokenizer.eos_id] / n),
        "top": [{"id": id, "token": tokenizer.decode([id]), "count": count, "share": count / n} for id, count in top],
    }


def _lengths(values: np.ndarray) -> dict[str, Any]:
    """Summary and histogram; p95 by nearest rank. The last bar holds all longer titles."""
    width = max(1, -(-int(np.percentile(values, 99.5)) // _MAX_BARS))
    counts = np.bincount(np.minimum(values // width, _MAX_BARS)).tolist()
    return {**lengths(values), "histogram": {"width": width, "counts": counts}}


def _kinds(b: Breakdown, n_titles: int) -> dict[str, Any]:
    counts = zip(b.kinds, np.bincount(b.of_title, minlength=len(b.kinds)).tolist(), strict=True)
    parts = [{"name": kind.name, "label": kind.label, "n_titles": n, "share": n / n_titles} for kind, n in counts if n]
    return {"name": b.name, "label": b.label, "parts": parts}


def figure(content: Content, run: str | None, part: str) -> str:
    """Return the SVG of a part of analysis/data.json: "lengths" (two histograms) or "words" (the most frequent)."""
    return _lengths_figure(content) if part == "lengths" else _words_figure(content)


def _lengths_figure(content: Content) -> str:
    def build(figure: style.Figure) -> None:
        chars, tokens = figure.subplots(1, 2)
        _histogram(chars, content["title_chars"], "characters", style.BLUE)
        _histogram(tokens, content["title_tokens"], "tokens", style.GREEN)
        chars.set_ylabel("titles")
        counted = f"{content['n_titles']:,} training titles, {content['n_tokens']:,} tokens with <eos>"
        per_token = f"{format_metric('chars_per_token', content['chars_per_token'])} characters a token"
        style.note(chars, f"{counted}; {per_token}; the last bar holds all longer ones")

    return style.draw(build, 3.6, "Histograms of the training titles' lengths in characters and in tokens")


def _words_figure(content: Content) -> str:
    words, counts = zip(*((row["word"], row["count"]) for row in content["words"]), strict=True)

    def build(figure: style.Figure) -> None:
        axes = figure.subplots()
        style.bars(axes, words, counts, [f"{count:,}" for count in counts], color=style.BLUE)
        axes.set_title(f"The {len(words)} most frequent words of the training titles")
        axes.set_xlabel("occurrences, upper and lower case together")
        axes.xaxis.set_major_formatter("{x:,.0f}")
        eos = style.percent(content["eos_share"])
        style.note(axes, f"{content['n_titles']:,} titles; <eos> is {eos} of the tokens")

    return style.draw(build, 1.4 + style.ROW_IN * len(words), f"Bar chart of the {len(words)} most frequent words")


def _histogram(axes: style.Axes, summary: Content, unit: str, colour: str) -> None:
    width, counts = summary["histogram"]["width"], summary["histogram"]["counts"]
    axes.bar([i * width for i in range(len(counts))], counts, width * 0.92, align="edge", color=colour)
    axes.axvline(summary["median"], color="black", linewidth=1, linestyle="--")
    at_top = {"xycoords": ("data", "axes fraction"), "va": "top"}
    style.label(axes, f"median {summary['median']:g}", (summary["median"], 1.0), 4, -4, **at_top)
    axes.set(xlabel=unit, xlim=(0, len(counts) * width), ylim=(0, max(counts) * 1.14))
    axes.set_title(f"{unit.capitalize()} a title")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.grid(visible=False, axis="x")


def frequency_figure(content: Content, run: str | None = None) -> str:
    """Return the SVG of analysis/token_frequency.json: `n_tokens`, `top` (rows of `token`, `count`, `share`)."""
    rows = content["top"]
    shares = [row["share"] for row in rows]

    def build(figure: style.Figure) -> None:
        axes = figure.subplots()
        colours = [style.VERMILLION if row["token"] == "<eos>" else style.BLUE for row in rows]
        texts = [f"{style.percent(row['share'])} ({row['count']:,})" for row in rows]
        style.bars(axes, [style.token_label(row["token"]) for row in rows], shares, texts, color=colours)
        axes.set(xlim=(0, max(shares) * 1.28), title=f"The {len(rows)} most frequent training tokens")
        axes.set_xlabel("share of all training tokens, and count")
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:g} %")
        style.note(axes, f"{content['n_tokens']:,} tokens an epoch; <eos> ends every title; · is a space")

    described = f"Bar chart of the {len(rows)} most frequent training tokens"
    return style.draw(build, 1.5 + style.ROW_IN * len(rows), described)


def view(content: Content) -> terminal.View:
    """Return counts, lengths as small histograms, kinds of titles, most frequent words and tokens."""
    from rich.table import Table

    size, used, once = (f"{content['vocabulary'][key]:,}" for key in ("size", "used", "used_once"))
    eos = format_metric("share", content["eos_share"])
    per_token = format_metric("chars_per_token", content["chars_per_token"])

    def lengths_of(name: str, row: Content) -> list[str]:
        numbers = (f"{row[key]:,.4g}" for key in ("min", "median", "mean", "p95", "max"))
        return [name, *numbers, _sparkline(row["histogram"]["counts"])]

    numbers = (">least", ">median", ">mean", ">95 %", ">most")
    columns = ("a title has", *numbers, {"header": "distribution", "no_wrap": True})
    rows = [lengths_of("characters", content["title_chars"]), lengths_of("tokens", content["title_tokens"])]
    kinds = (
        ("" if index else breakdown["label"], part["label"], *terminal.share_cells(part["share"]))
        for breakdown in content["kinds"]
        for index, part in enumerate(breakdown["parts"])
    )
    words = ((terminal.plain(row["word"]), f"{row['count']:,}") for row in content["words"])
    tokens = ((terminal.visible(row["token"]), f"{row['count']:,}") for row in content["tokens"])
    side = Table.grid(padding=(0, 4))
    side.add_row(terminal.table(("word", ">count"), words), terminal.table(("token", ">count"), tokens))
    return terminal.stack(
        "What the model reads",
        f"{content['n_titles']:,} training titles, {content['n_tokens']:,} tokens an epoch, {eos} of them <eos>; "
        f"{per_token} characters a token",
        f"{size} tokens in the vocabulary, {used} used, {once} only once",
        terminal.table(columns, rows),
        "",
        terminal.table(("titles by", "kind", ">share", ""), kinds),
        "",
        side,
    )


def frequency_text(content: Content) -> list[list[str]]:
    return [[repr(row["token"]), f"{row['count']:,}", format_metric("share", row["share"])] for row in content["top"]]


def _sparkline(counts: list[int]) -> str:
    """A histogram in at most 20 characters."""
    width = -(-len(counts) // 20)
    cells = [sum(counts[i : i + width]) for i in range(0, len(counts), width)]
    most = max(cells) or 1
    return "".join(" ▁▂▃▄▅▆▇█"[-(-8 * cell // most)] for cell in cells)


DATA = Question(
    "data",
    "what the model reads: lengths, words, kinds of titles",
    lambda case: in_numbers(case.data.split.train, case.data.tokenizer, case.data.train_ids),
    view,
    figure,
    parts=lambda content: ("lengths", "words"),
)
TOKEN_FREQUENCY = Question(  # the view of `data` shows them
    "token_frequency",
    "the most frequent training tokens",
    lambda case: most_frequent(case.data.tokenizer, case.data.train_ids),
    figure=frequency_figure,
    text=frequency_text,
)
