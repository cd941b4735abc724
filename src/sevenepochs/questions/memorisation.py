"""Memorisation: is the loss lower on validation titles that occur in training, and by more than they are easier?

Titles that come back ("Ask HN: Who is hiring?") are also short and formulaic, so a lower loss alone shows nothing. The
control is a table of token pairs that has met none of the titles under test: it is counted in the training titles
without those that a validation title repeats, near-duplicates included. (Counted in all of them it would remember the
pairs of the very titles, and no model would look as if it remembered more.) What counts is the model's loss as a ratio
to the control's, on titles met word for word against new ones: the difference that having met a title makes, as in
Zhang et al. 2021 (arXiv:2112.12938), where the control is the same model trained without it.

The control is weaker than that one: titles that come back are of another kind, which may suit a model more or less than
it suits pairs. A ratio that differs is therefore a sign, not a proof. Intervals: bootstrap over titles, 95 %. No torch.
"""

from __future__ import annotations

import collections
import math
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from sevenepochs.comparison.paired import BOOTSTRAP_SEED, draw_counts, percentiles, ratio_draws
from sevenepochs.data.titles import Kind, known, normalised
from sevenepochs.metrics import format_metric
from sevenepochs.questions import terminal
from sevenepochs.questions.figures.style import BLUE, FAINT, ORANGE, Figure, draw, label, name_rows, note
from sevenepochs.questions.question import Case, Content, Question
from sevenepochs.questions.stream import PairTable

FEWEST_TITLES = 20  # fewer, drawn again and again, tell too little of how titles vary

VERDICTS = {
    "sign": "does better beside token pairs on titles met word for word than on new ones: a sign that it remembers "
    "titles, unless titles of that kind suit it better anyway",
    "no_sign": "does no better beside token pairs on titles met word for word than on new ones: no sign that it "
    "remembers titles",
    "cannot_be_told": "whether it remembers titles cannot be told: beside token pairs it does as well on titles met "
    "word for word as on new ones, within the interval",
    "too_few": "whether it remembers titles cannot be told: fewer than "
    f"{FEWEST_TITLES} validation titles were met word for word, or are new",
}
_TIMES_EDGES = (2, 4, 10)
_TIMES = (Kind("1", "once"), Kind("2_to_3", "2–3 times"), Kind("4_to_9", "4–9 times"), Kind("from_10", "10 and more"))


def compute(case: Case) -> dict[str, Any]:
    """Return the loss on known and on new titles beside the control's, each title with its closing `<eos>`.

    Returns:
        `verdict` (a key of VERDICTS), `sentence`; `kinds` (word for word, near, new) and `times` (how often a known
        title's words occur in training), each a list of rows with `n_titles`, `n_chars`, `nats_per_char`,
        `pair_nats_per_char` (the control's), `ratio_to_pairs` and its `interval`, None for fewer than 20 titles;
        `met_to_new`: the ratio of titles met word for word over that of new ones, as `ratio` and `interval`, None where
        one of the kinds does not occur; `exact_val_loss`, `exact_val_loss_of_new` (over titles that are in training in
        no form), `n_duplicates_in_training`, `n_left_out_of_pairs` (training titles that the control has not met).
    """
    split, tokenizer, where = case.data.split, case.data.tokenizer, case.where
    under_test = {normalised(title) for title in split.validation}
    others = [title for title in split.train if normalised(title) not in under_test]
    table = PairTable.count(tokenizer.encode_stream(others), tokenizer.vocab_size, tokenizer.eos_id)
    nats, n_chars = where.by_title(-case.log_probs_N), where.n_chars
    pair_nats = where.by_title(-table.log_probs(case.ids_N, tokenizer.eos_id))
    rng = np.random.default_rng(BOOTSTRAP_SEED)  # one for all kinds, so that they are drawn independently
    draws: dict[str, np.ndarray] = {}  # of the ratio, by kind with enough titles: (D,)

    def rows(kinds: Sequence[Kind], of_title: np.ndarray) -> Iterator[dict[str, Any]]:
        for index, kind in enumerate(kinds):
            inside = of_title == index
            if (n := int(inside.sum())) == 0:
                continue
            chars, ours, pairs = int(n_chars[inside].sum()), math.fsum(nats[inside]), math.fsum(pair_nats[inside])
            if n >= FEWEST_TITLES:
                draws[kind.name] = ratio_draws(nats[inside], pair_nats[inside], draw_counts(n, rng))
            yield {
                "name": kind.name,
                "label": kind.label,
                "n_titles": n,
                "n_chars": chars,
                "nats_per_char": ours / chars,
                "pair_nats_per_char": pairs / chars,
                "ratio_to_pairs": ours / pairs,
                "interval": list(percentiles(draws[kind.name])) if n >= FEWEST_TITLES else None,
            }

    breakdown = known(split.validation, split.train)
    kinds = {row["name"]: row for row in rows(breakdown.kinds, breakdown.of_title)}
    times = collections.Counter(map(normalised, split.train))
    times_of_title = np.array([times[normalised(title)] for title in split.validation])
    times_kind = np.where(times_of_title > 0, np.searchsorted(_TIMES_EDGES, times_of_title, side="right"), -1)
    met, new = kinds.get("word_for_word"), kinds.get("new")
    met_to_new = None
    if met and new:
        enough = met["interval"] and new["interval"]  # the two share no title
        interval = list(percentiles(draws["word_for_word"] / draws["new"])) if enough else None
        met_to_new = {"ratio": met["ratio_to_pairs"] / new["ratio_to_pairs"], "interval": interval}
    verdict = judge(met_to_new)
    return {
        "verdict": verdict,
        "sentence": VERDICTS[verdict],
        "met_to_new": met_to_new,
        "exact_val_loss": math.fsum(nats) / int(n_chars.sum()),
        "exact_val_loss_of_new": new["nats_per_char"] if new else None,
        "n_duplicates_in_training": len(split.train) - len(set(split.train)),
        "n_left_out_of_pairs": len(split.train) - len(others),
        "kinds": list(kinds.values()),
        "times": list(rows(_TIMES, times_kind)),
    }


def judge(met_to_new: Mapping[str, Any] | None) -> str:
    """Return the verdict: does the interval of the ratio of ratios lie below 1, above it, or around it?"""
    if met_to_new is None or met_to_new["interval"] is None:
        return "too_few"
    low, high = met_to_new["interval"]
    if high < 1:
        return "sign"
    return "no_sign" if low > 1 else "cannot_be_told"


_MET = {"word_for_word": "met word for word", "near": "met but for case, punctuation, year or tag", "new": "not met"}


def figure(content: Content, run: str | None = None) -> str:
    rows = content["kinds"]
    ours, pairs = ([row[key] for row in rows] for key in ("nats_per_char", "pair_nats_per_char"))

    def build(figure: Figure) -> None:
        axes = figure.subplots()
        for place, row in enumerate(rows):
            axes.plot([ours[place], pairs[place]], [place, place], color=FAINT, linewidth=0.8, zorder=1)
            label(axes, f"ratio {_ratio(row)}", (max(ours[place], pairs[place]), place), 8)
        places = range(len(rows))
        axes.scatter(ours, places, color=BLUE, s=44, label="this model", zorder=2)
        axes.scatter(pairs, places, color=ORANGE, marker="s", s=38, label="table of token pairs", zorder=2)
        names = ([*textwrap.wrap(_MET[row["name"]], 26), f"({row['n_titles']:,} titles)"] for row in rows)
        name_rows(axes, list(map("\n".join, names)), grid=True)
        axes.set(xlim=(0, max(*ours, *pairs) * 1.6), xlabel="loss (nats per character)")  # room for the ratios
        axes.set_title("Loss on titles met in training" + (f": {run}" if run else ""))
        axes.legend(loc="lower left")
        small = f"{content['sentence']}; ratio: this model's loss over the table's, with its 95 % interval; "
        small += f"pairs counted without {content['n_left_out_of_pairs']:,} training titles that these repeat"
        note(axes, textwrap.fill(small, 112))

    return draw(build, 2.3 + 0.55 * len(rows), "Loss on validation titles that occur in training and on new ones")


def _ratio(part: Mapping[str, Any], key: str = "ratio_to_pairs") -> str:
    """A ratio with its interval, where there is one."""
    ratio = format_metric("ratio_to_pairs", part[key])
    interval = part["interval"]
    return ratio if interval is None else f"{ratio} ({terminal.interval_cell('ratio_to_pairs', interval)})"


def view(content: Content) -> terminal.View:
    def cells(part: Content) -> list[str]:
        losses = (format_metric("exact_val_loss", part[key]) for key in ("nats_per_char", "pair_nats_per_char"))
        ratio = format_metric("ratio_to_pairs", part["ratio_to_pairs"])
        interval = terminal.interval_cell("ratio_to_pairs", part["interval"])
        return [part["label"], f"{part['n_titles']:,}", *losses, ratio, interval]

    columns = ("the title occurs in training", ">titles", ">nats/char", ">token pairs", ">ratio", ">95 % interval")
    lines = [content["sentence"]]
    if content["met_to_new"] is not None:
        over = _ratio(content["met_to_new"], "ratio")
        lines.append(f"ratio on titles met word for word over that on new ones: {over}")
    left_out = f"{content['n_left_out_of_pairs']:,} training titles that these titles repeat"
    table = terminal.table(columns, map(cells, content["kinds"]))
    closing = (f"Token pairs were counted without {left_out}.", "dim")
    return terminal.stack("Titles met in training", table, *lines, closing)


def table(contents: Sequence[Content]) -> list[list[str]]:
    """Return runs side by side: a row of cells per run below the columns' names; a column per kind of title holds the
    loss over that of token pairs with its interval."""
    n_titles = {kind["name"]: kind["n_titles"] for content in contents for kind in content["kinds"]}
    columns = [f"{_MET_SHORT.get(name, name)} ({n:,} titles)" for name, n in n_titles.items()]
    rows = [[*columns, "met word for word over new", "exact", "exact, new titles", "verdict"]]
    for content in contents:
        there = {kind["name"]: kind for kind in content["kinds"]}
        cells = [_ratio(there[name]) if name in there else "-" for name in n_titles]
        quotient = content["met_to_new"]
        cells.append(_ratio(quotient, "ratio") if quotient else "-")
        losses = (content["exact_val_loss"], content["exact_val_loss_of_new"])
        cells += [format_metric("exact_val_loss", loss) for loss in losses]
        rows.append([*cells, content["verdict"].replace("_", " ")])
    return rows


_MET_SHORT = {"word_for_word": "met word for word", "near": "met nearly", "new": "new"}

MEMORISATION = Question("memorisation", "the loss on titles that occur in training", compute, view, figure, table=table)
