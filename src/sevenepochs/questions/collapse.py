"""The collapse check: does the model use its context, or does it give the same answer everywhere? No torch.

A loss alone does not say: a table of token frequencies has a respectable one. Three distances in bits per token do.
Write p_i for the prediction at target i, P for the mean of all predictions, f for the training frequencies, H for
entropy and D for the Kullback-Leibler divergence. Then

    mean D(p_i || f)  =  I  +  D(P || f)          I = H(P) - mean H(p_i)

so what separates the predictions from the frequency table falls into two parts: how far their mean is from it, and I,
the mutual information between context and prediction: how many bits a look at the prediction tells about which context
it was made for. A model that ignores its context has I = 0, whatever it answers.

Yardstick: what the token just before is worth. A table of token pairs counted in the same training text predicts the
validation tokens some bits better than the frequencies do (`pair_gain_bits`). The verdict, in this order:

    I < 1/4 of pair gain   the predictions hardly move: "frequency_alone" where D(P || f) is at most 1 bit (on average a
                           token is given no more than double or half its frequency), else "same_everywhere"
    gain <= 0              they move, to no avail: "no_gain", no better than the frequencies on the true tokens
    gain < pair gain       "less_than_pairs": context is used, less than counting pairs would
    else                   "uses_context"

The first three are flagged. None of the bounds was fitted to runs: 0 and the pair gain are yardsticks that exist
without any model, 1 bit is a factor of two, and a quarter says "much less than the one token before".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from sevenepochs.metrics import METRICS, format_metric
from sevenepochs.questions import terminal
from sevenepochs.questions.figures import style
from sevenepochs.questions.question import Case, Content, Question

HARDLY_MOVES = 0.25  # of the pair gain
NEAR_FREQUENCIES_BITS = 1.0
_LEAST_YARDSTICK_BITS = 0.2  # where pairs tell nothing (random tokens), a context must be worth a twentieth of a bit

VERDICTS = {
    "frequency_alone": "predicts from frequency alone: much the same answer after every context",
    "same_everywhere": "predicts much the same after every context, and not by the frequencies either",
    "no_gain": "its predictions move with the context, but the true tokens are no better predicted than by frequency",
    "less_than_pairs": "uses its context, but less than a table of token pairs would",
    "uses_context": "uses its context",
}
FLAGGED = frozenset({"frequency_alone", "same_everywhere", "no_gain"})


def compute(case: Case) -> dict[str, Any]:
    """Return distances in bits per token, shares of positions, the most usual tokens, and the verdict.

    Returns:
        `verdict` (a key of VERDICTS), `sentence`, `flagged`; `information_bits` (I), `mean_to_frequency_bits`
        (D(P || f)), `each_to_frequency_bits` (mean D(p_i || f)), `mean_entropy_bits`, `entropy_of_mean_bits`;
        `loss_bits`, `frequency_loss_bits`, `pair_loss_bits` per token on the true tokens, `gain_bits`,
        `pair_gain_bits` over the frequencies; `top_is_eos_share`, `top_is_right_share`, `n_distinct_top`,
        `most_usual_top`; `tokens`: the most frequent ones with `frequency` (training), `mean_probability`,
        `validation_share`.
    """
    observed, pairs, ids_N, tokenizer = case.observed, case.pairs, case.ids_N, case.data.tokenizer
    frequencies_V, mean_V = pairs.frequencies_V, observed.mean_V
    in_bits = -1 / math.log(2) / len(ids_N)
    loss = math.fsum(observed.log_probs_N) * in_bits
    frequency_loss = math.fsum(np.log(frequencies_V)[ids_N]) * in_bits
    pair_loss = math.fsum(pairs.log_probs(ids_N, tokenizer.eos_id)) * in_bits
    entropy_of_mean = -_sum_p_log2(mean_V, mean_V)
    mean_entropy = float(observed.entropy_bits_N.mean())
    figures = {
        "information_bits": entropy_of_mean - mean_entropy,
        "mean_to_frequency_bits": -entropy_of_mean - _sum_p_log2(mean_V, frequencies_V),
        "each_to_frequency_bits": float(observed.kl_bits_N.mean()),
        "mean_entropy_bits": mean_entropy,
        "entropy_of_mean_bits": entropy_of_mean,
        "loss_bits": loss,
        "frequency_loss_bits": frequency_loss,
        "pair_loss_bits": pair_loss,
        "gain_bits": frequency_loss - loss,
        "pair_gain_bits": frequency_loss - pair_loss,
    }
    verdict = judge(figures)
    top, top_counts = np.unique(observed.top_N, return_counts=True)
    most = np.lexsort((top, -top_counts))[:5]
    shown = np.argsort(-frequencies_V, kind="stable")[:20]
    validation_V = np.bincount(ids_N, minlength=len(frequencies_V)) / len(ids_N)
    of_tokens = {"frequency": frequencies_V, "mean_probability": mean_V, "validation_share": validation_V}

    def named(id: int) -> dict[str, Any]:
        return {"id": id, "token": tokenizer.show(id)}

    return {
        "verdict": verdict,
        "sentence": VERDICTS[verdict],
        "flagged": verdict in FLAGGED,
        "n_tokens": len(ids_N),
        **figures,
        "top_is_eos_share": float((observed.top_N == tokenizer.eos_id).mean()),
        "top_is_right_share": float((observed.top_N == ids_N).mean()),
        "n_distinct_top": len(top),
        "most_usual_top": [{**named(int(top[i])), "share": float(top_counts[i] / len(ids_N))} for i in most],
        "tokens": [{**named(int(i)), **{key: float(of_V[i]) for key, of_V in of_tokens.items()}} for i in shown],
    }


def judge(figures: dict[str, float]) -> str:
    """Return the verdict that the module's docstring defines, from the figures in bits."""
    pair_gain = max(figures["pair_gain_bits"], _LEAST_YARDSTICK_BITS)
    if figures["information_bits"] < HARDLY_MOVES * pair_gain:
        near = figures["mean_to_frequency_bits"] <= NEAR_FREQUENCIES_BITS
        return "frequency_alone" if near else "same_everywhere"
    if figures["gain_bits"] <= 0:
        return "no_gain"
    return "less_than_pairs" if figures["gain_bits"] < figures["pair_gain_bits"] else "uses_context"


def _sum_p_log2(p_V: np.ndarray, q_V: np.ndarray) -> float:
    """Sum of p log2 q; a token that is never predicted adds nothing."""
    some = p_V > 0
    return float(p_V[some] @ np.log2(q_V[some]))


def figure(content: Content, run: str | None = None) -> str:
    tokens = content["tokens"]
    rows = {
        "what the token\nbefore is worth": (content["pair_gain_bits"], style.FAINT),
        "information from\nthe context (I)": (content["information_bits"], style.GREEN),
        "gain over\nfrequencies": (content["gain_bits"], style.BLUE),
        "mean prediction\nto frequencies": (content["mean_to_frequency_bits"], style.VERMILLION),
    }
    values, colours = zip(*rows.values(), strict=True)

    def build(figure: style.Figure) -> None:
        axes, bits = figure.subplots(1, 2, width_ratios=(1.25, 1))
        trained, predicted = ([100 * row[key] for row in tokens] for key in ("frequency", "mean_probability"))
        places = range(len(tokens))
        axes.scatter(trained, places, color=style.ORANGE, marker="s", s=26, label="in training")
        axes.scatter(predicted, places, color=style.BLUE, s=26, label="mean prediction")
        lows, highs = map(min, trained, predicted), map(max, trained, predicted)
        axes.hlines(places, list(lows), list(highs), color=style.FAINT, linewidth=0.8, zorder=1)
        style.name_rows(axes, [style.token_label(row["token"]) for row in tokens], grid=True)
        axes.set(xlim=(0, None), xlabel="share of tokens (%)", title="Mean prediction and frequency")
        axes.legend(loc="lower right")
        bits.barh(range(len(rows)), values, color=colours, height=0.6)
        for place, value in enumerate(values):
            style.label(bits, format_metric("bits_per_token", value), (max(value, 0), place))
        bits.axvline(0, color=style.FAINT, linewidth=0.8)
        lowest, span = min(0.0, *values), max(values) - min(0.0, *values)
        bits.set_xlim(lowest - 0.05 * span, max(values) + 0.2 * span)
        style.name_rows(bits, list(rows))
        bits.set(xlabel="bits per token", title="Does the context matter?")
        figure.suptitle((f"{run}: " if run else "") + content["sentence"], x=0.01, ha="left", fontsize=10)
        eos = f"{style.percent(content['top_is_eos_share'])} of {content['n_tokens']:,} positions"
        others = f"{content['n_distinct_top']:,} different ones occur; · is a space"
        style.note(axes, f"most probable token is <eos> at {eos}; {others}")

    return style.draw(build, 5.6, f"Collapse check: the model {content['sentence']}", width_in=8.4)


def view(content: Content) -> terminal.View:
    unit = METRICS["bits_per_token"].unit
    rows = [(format_metric("bits_per_token", content[key]), f"{unit}  {meaning}") for key, meaning in _VIEW_ROWS]
    rows.append((format_metric("share", content["top_is_eos_share"]), "of the most probable tokens are <eos>"))
    rows.append((f"{content['n_distinct_top']:,}", f"different ones occur at {content['n_tokens']:,} places"))
    sentence = (content["sentence"], "bold red" if content["flagged"] else "bold green")
    table = terminal.table((">", ""), rows, show_header=False)
    return terminal.stack("Does the model use its context?", sentence, table)


def table(contents: Sequence[Content]) -> list[list[str]]:
    """Return runs side by side: a row of cells per run below the columns' names, in bits per token."""
    rows = [[*(name for name, *_ in _COLUMNS), "verdict"]]
    for content in contents:
        numbers = ((content[key], metric) for _, key, metric in _COLUMNS)
        cells = (f"{value:,}" if metric is None else format_metric(metric, value) for value, metric in numbers)
        rows.append([*cells, content["sentence"]])
    return rows


_VIEW_ROWS = (
    ("pair_gain_bits", "gained over the frequencies by a table of token pairs: what the token before is worth"),
    ("gain_bits", "gained over the frequencies by this model, on the true tokens"),
    ("information_bits", "of information between context and prediction: 0 where the context is ignored"),
    ("mean_to_frequency_bits", "from the mean prediction to the training frequencies (Kullback-Leibler)"),
    ("each_to_frequency_bits", "from a single prediction to them, on average: the sum of the two above"),
    ("loss_bits", "loss of this model on the true tokens"),
    ("frequency_loss_bits", "loss of the frequencies"),
)
_COLUMNS = (
    ("most probable token is `<eos>`, share of places", "top_is_eos_share", "share"),
    ("different tokens that are ever the most probable", "n_distinct_top", None),
    ("I", "information_bits", "bits_per_token"),
    ("mean prediction to the frequencies", "mean_to_frequency_bits", "bits_per_token"),
    ("single predictions to the frequencies", "each_to_frequency_bits", "bits_per_token"),
    ("gain over the frequencies", "gain_bits", "bits_per_token"),
    ("pair gain", "pair_gain_bits", "bits_per_token"),
    ("validation tokens", "n_tokens", None),
)

_ASKS = "does the model use its context? (one pass over the validation text)"
COLLAPSE = Question("collapse", _ASKS, compute, view, figure, table=table)
