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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from sevenepochs.comparison.bootstrap import BOOTSTRAP_SEED, percentiles, ratio_draws
from sevenepochs.data.titles import Kind, known, normalised, title_chars
from sevenepochs.data.tokenizer.base import Tokenizer
from sevenepochs.metrics import format_metric
from sevenepochs.protocol.budget import Split
from sevenepochs.questions import terminal
from sevenepochs.questions.count_tables import PairTable
from sevenepochs.questions.figures.style import BLUE, FAINT, ORANGE, draw, note
from sevenepochs.questions.question import Content, Question
from sevenepochs.questions.targets import targets

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import RenderableType

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
_TIMES_KINDS = (
    Kind("1", "once"),
    Kind("2_to_3", "2–3 times"),
    Kind("4_to_9", "4–9 times"),
    Kind("from_10", "10 and more"),
)


def analyze(nats: np.ndarray, split: Split, tokenizer: Tokenizer) -> dict[str, Any]:
    """Loss on known and on new titles beside the control's. From losses by title alone, as results/ keeps them too.

    Args:
        nats: (validation titles,) what each of them costs the model, its closing `<eos>` included.
        tokenizer: the model's own.

    Returns:
        `verdict` (a key of VERDICTS), `sentence`; `kinds` (word for word, near, new) and `times` (how often a known
        title's words occur in training), each a list of rows with `n_titles`, `n_chars`, `nats_per_char`,
        `pair_nats_per_char` (the control's), `ratio_to_pairs` and its `interval`, None for fewer than 20 titles;
        `met_to_new`: the ratio of titles met word for word over that of new ones, as `ratio` and `interval`, None where
        one of the kinds does not occur; `exact_val_loss`, `exact_val_loss_of_new` (over titles that are in training in
        no form), `n_duplicates_in_training`, `n_left_out_of_pairs` (training titles that the control has not met).
    """
    others = _not_repeated(split)
    pair_nats = _pair_nats(others, split.validation, tokenizer)
    n_chars = title_chars(split.validation)
    rng = np.random.default_rng(BOOTSTRAP_SEED)  # one for all kinds, so that they are drawn independently
    ratios: dict[str, _Ratio] = {}

    def row(kind: Kind, inside: np.ndarray) -> dict[str, Any]:
        chars = int(n_chars[inside].sum())
        ratio = ratios[kind.name] = _Ratio.of(nats[inside], pair_nats[inside], rng)
        return {
            "name": kind.name,
            "label": kind.label,
            "n_titles": int(inside.sum()),
            "n_chars": chars,
            "nats_per_char": math.fsum(nats[inside]) / chars,
            "pair_nats_per_char": math.fsum(pair_nats[inside]) / chars,
            "ratio_to_pairs": ratio.value,
            "interval": ratio.interval,
        }

    def rows(kinds: Sequence[Kind], of_title: np.ndarray) -> list[dict[str, Any]]:
        return [row(kind, of_title == i) for i, kind in enumerate(kinds) if (of_title == i).any()]

    breakdown = known(split.validation, split.train)
    kinds = rows(breakdown.kinds, breakdown.of_title)
    times = collections.Counter(map(normalised, split.train))
    times_of_title = np.array([times[normalised(title)] for title in split.validation])
    times_kind = np.where(times_of_title > 0, np.searchsorted(_TIMES_EDGES, times_of_title, side="right"), -1)
    met_to_new = _met_to_new(ratios)
    verdict = judge(met_to_new)
    return {
        "verdict": verdict,
        "sentence": VERDICTS[verdict],
        "met_to_new": met_to_new,
        "exact_val_loss": math.fsum(nats) / int(n_chars.sum()),
        "exact_val_loss_of_new": next((row["nats_per_char"] for row in kinds if row["name"] == "new"), None),
        "n_duplicates_in_training": len(split.train) - len(set(split.train)),
        "n_left_out_of_pairs": len(split.train) - len(others),
        "kinds": kinds,
        "times": rows(_TIMES_KINDS, times_kind),
    }


def judge(met_to_new: Mapping[str, Any] | None) -> str:
    """The verdict: does the interval of the ratio of ratios lie below 1, above it, or around it?"""
    if met_to_new is None or met_to_new["interval"] is None:
        return "too_few"
    low, high = met_to_new["interval"]
    if high < 1:
        return "sign"
    return "no_sign" if low > 1 else "cannot_be_told"


@dataclass(frozen=True)
class _Ratio:
    """The model's nats over the control's, and the same in each draw of titles (None: too few to draw from)."""

    value: float
    draws_D: np.ndarray | None

    @classmethod
    def of(cls, nats: np.ndarray, pair_nats: np.ndarray, rng: np.random.Generator) -> _Ratio:
        enough = len(nats) >= FEWEST_TITLES
        draws_D = ratio_draws(nats[:, None], pair_nats, rng)[:, 0] if enough else None
        return cls(math.fsum(nats) / math.fsum(pair_nats), draws_D)

    def over(self, other: _Ratio) -> _Ratio:
        """The quotient of two kinds' ratios, which share no title."""
        if self.draws_D is None or other.draws_D is None:
            return _Ratio(self.value / other.value, None)
        return _Ratio(self.value / other.value, self.draws_D / other.draws_D)

    @property
    def interval(self) -> list[float] | None:
        return None if self.draws_D is None else list(percentiles(self.draws_D))


def _met_to_new(ratios: Mapping[str, _Ratio]) -> dict[str, Any] | None:
    if not {"word_for_word", "new"} <= ratios.keys():
        return None
    quotient = ratios["word_for_word"].over(ratios["new"])
    return {"ratio": quotient.value, "interval": quotient.interval}


def _not_repeated(split: Split) -> list[str]:
    """The training titles that no validation title repeats, not even nearly."""
    under_test = {normalised(title) for title in split.validation}
    return [title for title in split.train if normalised(title) not in under_test]


def _pair_nats(counted: Sequence[str], titles: Sequence[str], tokenizer: Tokenizer) -> np.ndarray:
    """What each title costs a table of token pairs that was counted in other titles: (titles,)."""
    table = PairTable.count(tokenizer.encode_stream(counted), tokenizer.vocab_size, tokenizer.eos_id)
    ids_N = tokenizer.encode_stream(titles)
    where = targets(ids_N, tokenizer.eos_id, titles)
    return where.by_title(-table.log_probs(ids_N, tokenizer.eos_id))


_MET = {
    "word_for_word": "met word for word",
    "near": "met but for case, punctuation, year or tag",
    "new": "not met",
}


def figure(content: Content, run: str | None = None) -> str:
    """The SVG of analysis/memorisation.json; `run`: its name, for the title."""
    rows = content["kinds"]

    def build(figure: Figure) -> None:
        axes = figure.subplots()
        for row, part in enumerate(rows):
            axes.plot(
                [part["nats_per_char"], part["pair_nats_per_char"]], [row, row], color=FAINT, linewidth=0.8, zorder=1
            )
        places = range(len(rows))
        axes.scatter([part["nats_per_char"] for part in rows], places, color=BLUE, s=44, label="this model", zorder=2)
        axes.scatter(
            [part["pair_nats_per_char"] for part in rows],
            places,
            color=ORANGE,
            marker="s",
            s=38,
            label="table of token pairs",
            zorder=2,
        )
        for row, part in enumerate(rows):
            right = max(part["nats_per_char"], part["pair_nats_per_char"])
            axes.annotate(
                f"ratio {_ratio(part)}",
                (right, row),
                xytext=(8, 0),
                textcoords="offset points",
                va="center",
                fontsize=9,
            )
        axes.set_yticks(places, [_label(part) for part in rows])
        axes.set_ylim(len(rows) - 0.4, -0.6)
        values = [part[key] for part in rows for key in ("nats_per_char", "pair_nats_per_char")]
        axes.set_xlim(0, max(values) * 1.6)  # room for the ratios
        axes.set_xlabel("loss (nats per character)")
        axes.set_title("Loss on titles met in training" + (f": {run}" if run else ""))
        axes.legend(loc="lower left")
        note(axes, "\n".join(textwrap.wrap(f"{content['sentence']}; {_counted(content)}", 112)))

    return draw(build, 2.3 + 0.55 * len(rows), "Loss on validation titles that occur in training and on new ones")


def _label(part: Mapping[str, Any]) -> str:
    return "\n".join([*textwrap.wrap(_MET[part["name"]], 26), f"({part['n_titles']:,} titles)"])


def _ratio(part: Mapping[str, Any]) -> str:
    """A ratio with its interval, where there is one."""
    ratio = format_metric("ratio_to_pairs", part["ratio_to_pairs"])
    interval = part["interval"]
    return ratio if interval is None else f"{ratio} ({terminal.interval_cell('ratio_to_pairs', interval)})"


def _counted(content: Content) -> str:
    left_out = f"{content['n_left_out_of_pairs']:,} training titles that these repeat"
    return f"ratio: this model's loss over the table's, with its 95 % interval; pairs counted without {left_out}"


def view(content: Content) -> RenderableType:
    """Known and new titles beside the pair table, and the verdict."""
    from rich.console import Group
    from rich.text import Text

    columns = ("the title occurs in training", ">titles", ">nats/char", ">token pairs", ">ratio", ">95 % interval")
    table = terminal.table(*columns)
    for part in content["kinds"]:
        table.add_row(
            Text(part["label"]),
            f"{part['n_titles']:,}",
            format_metric("exact_val_loss", part["nats_per_char"]),
            format_metric("exact_val_loss", part["pair_nats_per_char"]),
            format_metric("ratio_to_pairs", part["ratio_to_pairs"]),
            terminal.interval_cell("ratio_to_pairs", part["interval"]),
        )
    lines = [Text(content["sentence"])]
    if (quotient := content["met_to_new"]) is not None:
        ratio = format_metric("ratio_to_pairs", quotient["ratio"])
        interval = terminal.interval_cell("ratio_to_pairs", quotient["interval"])
        lines.append(Text(f"ratio on titles met word for word over that on new ones: {ratio} ({interval})"))
    closing = (
        f"Token pairs were counted without {content['n_left_out_of_pairs']:,} training titles that these titles repeat."
    )
    return Group(terminal.heading("Titles met in training"), table, *lines, Text(closing, style="dim"))


def table(contents: Sequence[Content]) -> list[list[str]]:
    """Runs side by side: a row of cells per run below the columns' names; a column per kind of title holds the loss
    over that of token pairs with its interval."""
    n_titles = {kind["name"]: kind["n_titles"] for content in contents for kind in content["kinds"]}
    columns = [f"{_MET_SHORT.get(name, name)} ({n:,} titles)" for name, n in n_titles.items()]
    rows = [[*columns, "met word for word over new", "exact", "exact, new titles", "verdict"]]
    for content in contents:
        there = {kind["name"]: kind for kind in content["kinds"]}
        cells = [_ratio(there[name]) if name in there else "-" for name in n_titles]
        quotient = content["met_to_new"]
        cells.append(_ratio({**quotient, "ratio_to_pairs": quotient["ratio"]}) if quotient else "-")
        losses = (content["exact_val_loss"], content["exact_val_loss_of_new"])
        cells += [format_metric("exact_val_loss", loss) for loss in losses]
        rows.append([*cells, content["verdict"].replace("_", " ")])
    return rows


_MET_SHORT = {"word_for_word": "met word for word", "near": "met nearly", "new": "new"}

MEMORISATION = Question(
    "memorisation",
    "the loss on titles that occur in training",
    lambda case: analyze(case.where.by_title(-case.log_probs_N), case.data.split, case.data.tokenizer),
    view,
    figure,
    table=table,
)
