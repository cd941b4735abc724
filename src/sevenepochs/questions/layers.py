"""Layer by layer over many titles: what the logit lens loses after each layer, and where each head looks on average.

The lens reads the residual stream after the embedding and after each block as if it were the last one (see `logit_lens`
in `ask/inside.py`); early layers were never trained to be read so. Each title is read alone after `<eos>`: its tokens
and its closing `<eos>` are predicted from that title only, unlike in a run's figures.

L layers, H heads, T tokens of a context, N tokens of a batch, D model, V vocabulary, X habits of heads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sevenepochs.metrics import format_metric
from sevenepochs.questions import terminal
from sevenepochs.questions.figures import style
from sevenepochs.questions.question import Case, Content, Question

if TYPE_CHECKING:
    from sevenepochs.ask.model import Activations, Model

N_TITLES = 500  # some 6,400 tokens
_TITLES_AT_ONCE = 16  # the lens gives a number for every token of the vocabulary at every place


def compute(case: Case) -> dict[str, Any]:
    """Return the lens' losses and the heads' habits over the first 500 validation titles; what is longer than the model
    reads at once is cut.

    Returns:
        `n_titles`, `n_tokens` (predicted ones); `lens`: rows of `name` ("embedding", "block 1", ...) and
        `nats_per_token`, the last of which is the model's own loss on these tokens; `heads`: [layer][head] means over
        all queries but each title's first, as `eos_share` (of the weight, on the `<eos>` before the title),
        `previous_share` (on the token before; a title's first token has the `<eos>` before it), `self_share` and
        `mean_distance` (in tokens); `even`: what a head that looks at all it may see alike would have, as `share` (of
        each of the three) and `mean_distance`.
    """
    from sevenepochs.ask.inside import HABITS, even_weights, habit_sums

    model, titles = case.model, case.data.split.validation[:N_TITLES]
    # titles of like length are read together, so that little is padded
    whole = (np.append(model.encode(title), model.eos_id) for title in titles)
    streams = sorted((ids[: model.block_size + 1] for ids in whole), key=len)
    nats, habits, even = [], [], []
    for low in range(0, len(streams), _TITLES_AT_ONCE):
        batch = streams[low : low + _TITLES_AT_ONCE]
        traces = model.activations([ids[:-1] for ids in batch])
        nats.append(_lens_nats(model, traces, np.concatenate([ids[1:] for ids in batch])))
        habits += [habit_sums(trace.attention_LHTS.astype(np.float64)) for trace in traces]
        even += [habit_sums(even_weights(len(trace.ids_T)))[:, 0, 0] for trace in traces]
        case.progress(low + len(batch), len(streams))
    n_tokens = sum(len(ids) - 1 for ids in streams)
    n_queries = max(1, n_tokens - len(streams))  # none where all titles are empty
    habits_XLH = np.sum(habits, axis=0) / n_queries
    even_of = dict(zip(HABITS, np.sum(even, axis=0) / n_queries, strict=True))
    return {
        "n_titles": len(streams),
        "n_tokens": n_tokens,
        "lens": [
            {"name": f"block {number}" if number else "embedding", "nats_per_token": float(loss)}
            for number, loss in enumerate(np.sum(nats, axis=0) / n_tokens)
        ],
        "heads": {
            name.replace("first", "eos"): np.round(habit_LH, 5).tolist()  # a context's first token is the <eos>
            for name, habit_LH in zip(HABITS, habits_XLH, strict=True)
        },
        "even": {"share": float(even_of["previous_share"]), "mean_distance": float(even_of["mean_distance"])},
    }


def _lens_nats(model: Model, traces: Sequence[Activations], targets_N: np.ndarray) -> np.ndarray:
    """The sum over a batch's targets of what they cost each layer's lens: (L + 1,)."""
    hidden_LND = np.concatenate([trace.hidden_LTD for trace in traces], axis=1)
    at_N = np.arange(len(targets_N))
    return np.array([-log_probs_NV[at_N, targets_N].sum(dtype=np.float64) for log_probs_NV in model.lens(hidden_LND)])


# key, name, colour, marker, and how far beside its block a kind stands
_SHARES = (
    ("eos_share", "on <eos>", style.BLUE, "o", -0.2),
    ("previous_share", "on the token before", style.ORANGE, "s", 0.0),
    ("self_share", "on itself", style.GREEN, "^", 0.2),
)
_EVEN = {"color": style.FAINT, "linewidth": 1, "linestyle": ":", "label": "looking everywhere alike"}


def figure(content: Content, run: str | None = None) -> str:
    heads, even = content["heads"], content["even"]

    losses = [row["nats_per_token"] for row in content["lens"]]
    names = [row["name"].removeprefix("block ") for row in content["lens"]]

    def build(figure: style.Figure) -> None:
        lens, shares, distances = figure.subplots(3, 1, sharex=True, height_ratios=(1.2, 1.4, 1))
        lens.plot(range(len(losses)), losses, color=style.VERMILLION, marker="o", label="lens")
        for block, loss in enumerate(losses):
            style.label(lens, format_metric("nats_per_token", loss), (block, loss), 0, 6, ha="center", va="baseline")
        lens.set(ylim=(0, 1.18 * max(losses)), ylabel="loss (nats/token)", title="What the answer of each layer loses")
        for key, name, colour, marker, shift in _SHARES:
            percents = [[100 * share for share in row] for row in heads[key]]
            _heads(shares, percents, shift, color=colour, marker=marker, label=name)
        shares.axhline(100 * even["share"], **_EVEN)
        shares.set(ylim=(-4, 104), ylabel="attention (%)", title="Where each head looks")  # whole markers at either end
        _heads(distances, heads["mean_distance"], 0.0, color=style.PURPLE, marker="D", label="one head")
        distances.axhline(even["mean_distance"], **_EVEN)
        distances.set(ylim=(0, None), ylabel="tokens back", title="How far back, on average")
        for axes in (lens, shares, distances):
            axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
        distances.set_xticks(range(len(names)), names)
        distances.set_xlabel("block")
        style.heading(figure, "Layer by layer" + (f": {run}" if run else ""))
        style.note(
            lens,
            f"{content['n_titles']:,} validation titles, each read alone: {content['n_tokens']:,} tokens; "
            "the last lens is the model itself, early layers\nwere never trained to be read; "
            "shares and distances over all queries but each title's first",
        )

    return style.draw(build, 7.4, "Loss of the logit lens after each layer, and where and how far back each head looks")


def _heads(axes: style.Axes, values_LH: Sequence[Sequence[float]], shift: float, **look: Any) -> None:
    """Draw a mark per head, beside its block (the first is number 1)."""
    places = [block + shift for block, row in enumerate(values_LH, start=1) for _ in row]
    axes.scatter(places, [value for row in values_LH for value in row], s=22, alpha=0.8, **look)


def view(content: Content) -> terminal.View:
    """Return a row per layer: the lens' loss, and the least and the most of its heads."""
    heads, even = content["heads"], content["even"]

    rows = [[row["name"], format_metric("nats_per_token", row["nats_per_token"])] for row in content["lens"]]
    rows[0] += [""] * 4  # the embedding has no heads
    for layer, row in enumerate(rows[1:]):
        for name, *_ in _SHARES:
            row.append("–".join(format_metric("share", end(heads[name][layer])) for end in (min, max)))
        back = heads["mean_distance"][layer]
        row.append(f"{min(back):.1f}–{max(back):.1f}")
    columns = ("after", ">nats/token", ">on <eos>", ">on previous", ">on itself", ">tokens back")
    alike = f"{format_metric('share', even['share'])} each, {even['mean_distance']:.1f} back"
    closing = f"Least to most of a layer's heads; one that looks everywhere alike: {alike}. "
    closing += "The last loss is the model's own."
    text = f"Layer by layer over {content['n_titles']:,} titles, {content['n_tokens']:,} tokens"
    return terminal.stack(text, terminal.table(columns, rows), (closing, "dim"))


LAYERS = Question("layers", "what the answer of each layer loses, and where the heads look", compute, view, figure)
