"""What facts beside a title are worth: the same model told its titles' own facts, none, and other titles'.

The gain is what is lost when nothing is told. Another title's facts are the control: whatever the facts themselves
gained is lost again, and more, because they mislead. Intervals: over titles, 95 %; of parts by linearisation. No torch.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sevenepochs.comparison.paired import BOOTSTRAP_SEED, Interval, linear_intervals, title_interval
from sevenepochs.data.facts import NONE, OTHER, FactTable
from sevenepochs.data.titles import Kind, break_down
from sevenepochs.errors import UserError
from sevenepochs.metrics import format_metric
from sevenepochs.questions import terminal
from sevenepochs.questions.figures.style import BLUE, INK, ORANGE, Figure, draw, heading, label, name_rows, note
from sevenepochs.questions.question import Content, Question

if TYPE_CHECKING:
    from sevenepochs.questions.case import Case

_COUNT_EDGES = (100, 1_000)
_PLACES = (Kind("first_word", "first word"), Kind("rest", "later words"), Kind("end", "end of the title"))


def compute(case: Case) -> dict[str, Any]:
    """Return the losses with the titles' own facts, with some of them, with none and with other titles', and the gains.

    Returns:
        `columns`; `n_titles`; `losses`: rows of `name` (own, COLUMN_alone where there are several, none, others),
        `label`, `exact_val_loss` and, but for none, `gain` over none and its `interval`; `places`: rows of `name`,
        `label`, `gain` (they add up to the whole), `interval` and `share`; `breakdowns` (kind of title, each fact's
        frequency in training): `label` and `parts`, rows of `name`, `label`, `n_titles`, `gain` (over the part's own
        characters) and `interval`; `floors`: with and without the facts, where the distribution is known, else None.

    Raises:
        UserError: the run is told no facts.
    """
    facts, where = case.data.facts, case.where
    if facts is None:
        raise UserError(f"run {case.run.name} is told titles alone; train one with --facts url,time")
    codes, chars = facts.codes[1], where.n_chars
    columns = [text.partition(":")[0] for text in facts.table.columns]
    told = {"own": ("its own facts", codes)}
    if len(columns) > 1:
        for place, name in enumerate(columns):
            told[f"{name}_alone"] = (f"its {name} alone", facts.table.numbers(codes, place) * facts.table.size**place)
    shuffled = np.random.default_rng(BOOTSTRAP_SEED).permutation(codes)
    told |= {"none": ("nothing", 0 * codes), "others": ("another title's", shuffled)}
    log_probs_N = {"own": case.log_probs_N}
    for done, (name, (_, of_titles)) in enumerate(list(told.items())[1:]):
        case.progress(done, len(told) - 1)
        log_probs_N[name] = _scored(case, of_titles)
    gains_N = {name: log_probs_N[name] - log_probs_N["none"] for name in told}
    gain_N, gain = gains_N["own"], where.by_title(gains_N["own"])

    def row(name: str) -> dict[str, Any]:
        loss = {"name": name, "label": told[name][0], "exact_val_loss": -math.fsum(log_probs_N[name]) / chars.sum()}
        if name == "none":
            return loss
        by_title = where.by_title(gains_N[name])
        return loss | {"gain": by_title.sum() / chars.sum(), "interval": _listed(title_interval(by_title, chars))}

    in_place = _places(case)
    by_place = np.column_stack([where.by_title(gain_N * (in_place == place)) for place in range(len(_PLACES))])
    places = [
        {"name": kind.name, "label": kind.label, "gain": float(nats.sum() / chars.sum()), "interval": _listed(interval)}
        | {"share": float(nats.sum() / gain.sum())}
        for kind, nats, interval in zip(_PLACES, by_place.T, linear_intervals(by_place, chars), strict=True)
    ]

    def parts(kinds: Sequence[Kind], of_title: np.ndarray) -> Iterator[dict[str, Any]]:
        for index, kind in enumerate(kinds):
            nats, own = gain[of_title == index], chars[of_title == index]
            if len(own):
                [interval] = linear_intervals(nats[:, None], own)
                counted = {"n_titles": len(own), "gain": float(nats.sum() / own.sum()), "interval": _listed(interval)}
                yield {"name": kind.name, "label": kind.label, **counted}

    kinds = next(b for b in break_down(where.titles, ()) if b.name == "prefix")
    groups = [(kinds.label, kinds.kinds, kinds.of_title)]
    for place, name in enumerate(columns):
        groups.append((f"{name}, by its titles in training", *_by_frequency(facts.table, facts.codes, place)))
    floors = case.data.corpus.floor(where.titles), case.data.floor()
    return {
        "columns": columns,
        "n_titles": len(where.titles),
        "losses": [row(name) for name in told],
        "places": places,
        "breakdowns": [{"label": text, "parts": list(parts(kinds, of))} for text, kinds, of in groups],
        "floors": None
        if floors[0] is None or floors[1] is None
        else {"none": floors[0].value_nats_per_char, "own": floors[1].value_nats_per_char},
    }


def _scored(case: Case, codes: np.ndarray) -> np.ndarray:
    from sevenepochs.protocol.scoring import exact_log_probs

    told = case.data.told(codes)
    return exact_log_probs(case.model.scorer, told.ids_N, told.eos_id, case.rows)


def _places(case: Case) -> np.ndarray:
    """The index into `_PLACES` of each target: (N,). A word begins at a space."""
    starts = np.flatnonzero(case.where.position_N == 1)
    before_N = np.cumsum(case.data.tokenizer.stops()[case.ids_N])
    word_N = before_N - np.repeat(before_N[starts], np.diff(np.append(starts, len(before_N))))
    return np.where(case.ids_N == case.model.eos_id, 2, np.minimum(word_N, 1))


def _by_frequency(
    table: FactTable, codes: tuple[np.ndarray, np.ndarray], place: int
) -> tuple[tuple[Kind, ...], np.ndarray]:
    """Kinds of values by how many training titles have them, and the kind of each validation title."""
    train, validation = (table.numbers(some, place) for some in codes)
    counts = np.bincount(train, minlength=table.size)
    group = 2 + np.searchsorted(_COUNT_EDGES, counts[validation], side="right")
    group[validation == OTHER], group[validation == NONE] = 1, 0
    low, high = _COUNT_EDGES
    named = (Kind("frequent", f"{low} to {high - 1:,} titles"), Kind("most_frequent", f"{high:,} titles and more"))
    return (Kind("none", "none"), Kind("other", "other: rare"), Kind("few", f"below {low} titles"), *named), group


def _listed(interval: Interval | None) -> list[float] | None:
    return None if interval is None else list(interval)


def figure(content: Content, run: str | None = None) -> str:
    rows = [row for row in content["losses"] if row["name"] != "none"]
    panels = ((rows, "told", BLUE), (content["places"], "where its own facts gain", ORANGE))

    def build(figure: Figure) -> None:
        for axes, (bars, title, color) in zip(figure.subplots(1, 2), panels, strict=True):
            gains = [bar["gain"] for bar in bars]
            axes.barh(range(len(bars)), gains, height=0.6, color=color)
            for place, bar in enumerate(bars):
                if bar["interval"] is not None:
                    axes.plot(bar["interval"], [place, place], color=INK, linewidth=1.2)
                end = max([0.0, bar["gain"], *(bar["interval"] or ())])
                label(axes, format_metric("val_loss_difference", bar["gain"]), (end, place))
            name_rows(axes, [bar["label"] for bar in bars])
            axes.axvline(0, color=INK, linewidth=0.8)
            least, most = min(0.0, *gains), max(0.0, *gains)
            axes.set(xlim=(1.15 * least, most + 0.35 * (most - least)), xlabel="gain (nats per character)", title=title)
        verb = "is" if len(content["columns"]) == 1 else "are"
        heading(figure, f"What {' and '.join(content['columns'])} {verb} worth" + (f": {run}" if run else ""))
        n_titles = f"{content['n_titles']:,} validation titles"
        note(figure.axes[0], f"gain over the same model told nothing; line: 95 % interval over {n_titles}")

    return draw(build, 1.9 + 0.4 * max(len(rows), 3), "Bar charts of what facts beside a title gain, and where in it")


def view(content: Content) -> terminal.View:
    def cells(row: Content) -> list[str]:
        gain = format_metric("val_loss_difference", row.get("gain"))
        return [row["label"], gain, terminal.interval_cell("val_loss_difference", row.get("interval"))]

    losses = terminal.table(
        ("told", ">gain", ">95 % interval", ">nats/char"),
        ([*cells(row), format_metric("exact_val_loss", row["exact_val_loss"])] for row in content["losses"]),
    )
    columns = (">gain", ">95 % interval")
    places = terminal.table(
        ("where", *columns, ">share"),
        ([*cells(row), format_metric("share", row["share"])] for row in content["places"]),
    )

    def table(group: Content) -> terminal.View:
        rows = ([*cells(row), f"{row['n_titles']:,}"] for row in group["parts"])
        return terminal.table((group["label"], *columns, ">titles"), rows)

    floors = content["floors"]
    known = []
    if floors is not None:
        worth = format_metric("val_loss_difference", floors["none"] - floors["own"], unit=True)
        known.append((f"By the titles' own distribution the facts are worth {worth}.", "dim"))
    others = map(table, content["breakdowns"])
    return terminal.stack("What facts beside the title are worth", losses, *known, places, *others)


FACTS = Question(
    "facts",
    "what facts beside the title are worth",
    compute,
    view,
    figure,
    needs_facts=True,
)
