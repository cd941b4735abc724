"""Titles that a model writes unprompted: how much of them is copied, how varied and how long it is.

Titles are drawn at temperature 1 and from all tokens, so shares and means are those of the model's own distribution.
Beside them stand the same figures of the titles that people wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sevenepochs.comparison.paired import mean_interval
from sevenepochs.data.titles import normalised
from sevenepochs.metrics import format_metric
from sevenepochs.questions import terminal
from sevenepochs.questions.calibration import wilson
from sevenepochs.questions.figures import style
from sevenepochs.questions.question import Case, Content, Question

if TYPE_CHECKING:
    from sevenepochs.ask.samples import Sample

N_TITLES = 200
N_EXAMPLES = 10
TEMPERATURE, SEED = 1.0, 1


def compute(case: Case) -> dict[str, Any]:
    """Draw 200 titles without a prompt, the same ones each time, and return what they share with training titles.

    Returns:
        `n_titles`, `temperature`, `seed`, `max_tokens`, `n_ended` (the others were cut); `copied`: those that are a
        training title word for word, and for comparison `copied_by_people`: the validation titles that are, both as
        `n`, `n_titles`, `share` and its 95 % `interval` (Wilson); `n_distinct`, `distinct_share`; `mean_chars` with
        its 95 % `mean_chars_interval` (t), `training_mean_chars`, `n_training_titles`; `examples`: the first ten whole
        ones that neither are nor nearly are a title of the corpus, because its text is not ours to publish.
    """
    from sevenepochs.ask import samples as ask

    model, split = case.model, case.data.split
    drawing = ask.Drawing(temperature=TEMPERATURE, top_k=None, seed=SEED)
    samples: list[Sample] = []
    for samples in ask.draw(model, "", N_TITLES, drawing):
        case.progress(sum(sample.ended or len(sample.ids) == drawing.max_tokens for sample in samples), N_TITLES)
    titles = [ask.title(model, "", sample) for sample in samples]
    whole = [text for text, sample in zip(titles, samples, strict=True) if sample.ended]
    training = frozenset(split.train)
    known = {normalised(text) for text in (*split.train, *split.validation)}
    chars = [len(text) for text in titles]
    interval = mean_interval(chars)
    assert interval is not None, "of 200 titles"
    return {
        "n_titles": len(titles),
        "temperature": drawing.temperature,
        "seed": drawing.seed,
        "max_tokens": drawing.max_tokens,
        "n_ended": len(whole),
        "copied": _share(sum(text in training for text in whole), len(titles)),
        "copied_by_people": _share(sum(text in training for text in split.validation), len(split.validation)),
        "n_distinct": len(set(titles)),
        "distinct_share": len(set(titles)) / len(titles),
        "mean_chars": float(np.mean(chars)),
        "mean_chars_interval": list(interval),
        "training_mean_chars": float(np.mean([len(text) for text in split.train])),
        "n_training_titles": len(split.train),
        "examples": list(dict.fromkeys(text for text in whole if text and normalised(text) not in known))[:N_EXAMPLES],
    }


def _share(n: int, n_titles: int) -> dict[str, Any]:
    share = n / n_titles
    return {"n": n, "n_titles": n_titles, "share": share, "interval": wilson(share, n_titles)}


_Dot = tuple[str, float, Sequence[float], str]  # name, value, interval, text


def figure(content: Content, run: str | None = None) -> str:
    drawn = f"{content['n_titles']:,} drawn"

    def share(name: str, of: Content) -> _Dot:
        text = f"{of['n']:,}: {style.percent(of['share'])}"
        return name, 100 * of["share"], [100 * end for end in of["interval"]], text

    def length(name: str, mean: float, interval: Sequence[float]) -> _Dot:
        return name, mean, interval, format_metric("chars_per_title", mean)

    def build(figure: style.Figure) -> None:
        copied, lengths = figure.subplots(1, 2)
        people, mean = content["copied_by_people"], content["training_mean_chars"]
        _dots(copied, share(drawn, content["copied"]), share(f"{people['n_titles']:,} validation\ntitles", people))
        copied.set(title="Training titles word for word", xlabel="share of titles (%)")
        ours = length(drawn, content["mean_chars"], content["mean_chars_interval"])
        _dots(lengths, ours, length(f"{content['n_training_titles']:,} training\ntitles", mean, (mean, mean)))
        lengths.set(title="Mean length", xlabel="characters a title")
        style.heading(figure, "What it writes unprompted" + (f": {run}" if run else ""), copied)
        style.note(
            copied,
            f"temperature {content['temperature']:g}, all tokens, seed {content['seed']}; {content['n_distinct']:,} of "
            f"{content['n_titles']:,} are different, {content['n_ended']:,} came to an end; bars: 95 % intervals",
        )

    return style.draw(build, 3.4, f"Share of {drawn} titles that are training titles, and their mean length")


def _dots(axes: style.Axes, *rows: _Dot) -> None:
    """Draw the model's value above that of people. Markers differ as colours do."""
    looks = ((style.BLUE, "o", "this model"), (style.ORANGE, "s", "people"))
    for place, ((colour, marker, who), (_, value, ends, text)) in enumerate(zip(looks, rows, strict=True)):
        error = style.errors([value], [ends])
        axes.errorbar(value, place, xerr=error, color=colour, marker=marker, capsize=3, linestyle="none", label=who)
        style.label(axes, text, (max(value, ends[1]), place), 6)
    style.name_rows(axes, [name for name, *_ in rows])
    widest = max(interval[1] for _, _, interval, _ in rows)
    # a whole marker at 0, and room for the numbers
    axes.set(ylim=(len(rows) - 0.3, -0.6), xlim=(-0.03 * widest, 1.6 * widest))


def view(content: Content) -> terminal.View:
    def cells(name: str, row: Content) -> list[str]:
        share, interval = format_metric("share", row["share"]), terminal.interval_cell("share", row["interval"])
        return [name, f"{row['n']:,}", f"{row['n_titles']:,}", share, interval]

    columns = ("training titles word for word", ">titles", ">of", ">share", ">95 % interval")
    people = cells("of the validation titles", content["copied_by_people"])
    table = terminal.table(columns, [cells("of those drawn", content["copied"]), people])
    mean, training = (format_metric("chars_per_title", content[key]) for key in ("mean_chars", "training_mean_chars"))
    interval = terminal.interval_cell("chars_per_title", content["mean_chars_interval"])
    return terminal.stack(
        f"What it writes unprompted, at temperature {content['temperature']:g} (seed {content['seed']})",
        table,
        f"{content['n_distinct']:,} of {content['n_titles']:,} are different, {content['n_ended']:,} came to an end",
        f"{mean} characters on average ({interval}); training titles: {training}",
        ("for example", "dim"),
        *(f"  {terminal.plain(title)}" for title in content["examples"]),
    )


SAMPLES = Question(
    "samples", "what it writes when nothing is asked of it, and how much of that is copied", compute, view, figure
)
