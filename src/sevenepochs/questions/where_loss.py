"""Where the loss is: the exact loss cut up by place in the title, kind of token and kind of title. No torch.

Every breakdown is complete: its parts' nats add up to the exact loss, and so do their `contribution`s. What a title
loses is the sum over its tokens and its closing `<eos>`, in the rows in which the recipe is scored.

N targets of the validation stream, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from sevenepochs.data.titles import Kind, break_down
from sevenepochs.data.tokenizer.base import Tokenizer
from sevenepochs.metrics import METRICS, format_metric
from sevenepochs.protocol.budget import char_count
from sevenepochs.protocol.rows import Rows
from sevenepochs.questions import terminal
from sevenepochs.questions.figures.style import PALETTE, Figure, draw, heading, label, name_rows, note
from sevenepochs.questions.question import Case, Content, Question
from sevenepochs.questions.stream import Targets

N_EXTREMES = 10  # titles on either end that are published, by number
N_EXTREMES_LOCAL = 50  # those whose text is kept, in the run folder alone
_POSITION_EDGES = (2, 3, 4, 5, 6, 8, 11, 16)  # first position (from 1) of each part but the first
_COUNT_EDGES = (1, 10, 100, 1_000, 10_000)
_CONTEXT_EDGES = (2, 4, 8, 16, 32, 64, 128)


def compute(case: Case) -> dict[str, Any]:
    """Return the exact loss, and each breakdown with its parts.

    Returns:
        `exact_val_loss`, `n_tokens`, `n_titles`, `n_chars`; `tokens` and `titles`: breakdowns (`name`, `label`,
        `parts`); a part has `name`, `label`, `n_tokens`, `nats`, `share` (of all nats), `nats_per_token`,
        `contribution` (nats per character of the whole text: they add up to the exact loss), and among titles
        `n_titles`, `n_chars`, `nats_per_char` (over the part's own characters). `worst` and `best`: indices of titles
        with their loss.
    """
    data, where, nats_N = case.data, case.where, -case.log_probs_N
    n_chars = char_count(where.titles)
    total = math.fsum(nats_N)

    def broken_down(
        name: str, label: str, kinds: Sequence[Kind], of_N: np.ndarray, of_title: np.ndarray | None = None
    ) -> dict[str, Any]:
        parts = []
        for i, kind in enumerate(kinds):
            if (n := int((of_N == i).sum())) == 0:
                continue
            nats = math.fsum(nats_N[of_N == i])
            per = {"share": nats / total, "nats_per_token": nats / n, "contribution": nats / n_chars}
            part = {"name": kind.name, "label": kind.label, "n_tokens": n, "nats": nats, **per}
            if of_title is not None:
                chars = int(where.n_chars[of_title == i].sum())
                part |= {"n_titles": int((of_title == i).sum()), "n_chars": chars, "nats_per_char": nats / chars}
            parts.append(part)
        return {"name": name, "label": label, "parts": parts}

    part_N = parts_of_tokens(data.tokenizer)[where.ids_N]
    train_counts_V = np.bincount(data.train_ids, minlength=data.tokenizer.vocab_size)
    count_N = np.searchsorted(_COUNT_EDGES, train_counts_V[where.ids_N], side="right")
    count_N[where.ids_N == data.tokenizer.eos_id] = len(_COUNT_EDGES) + 1
    position_N = np.searchsorted(_POSITION_EDGES, where.position_N, side="right")
    context_N = np.searchsorted(_CONTEXT_EDGES, _context_lengths(case.rows, len(nats_N)), side="right")
    count_kinds = (*_ranges(_COUNT_EDGES, "times", first=0), Kind("eos", "<eos>"))
    positions, contexts = _ranges(_POSITION_EDGES, "token", first=1), _ranges(_CONTEXT_EDGES, "tokens", first=1)
    return {
        "exact_val_loss": total / n_chars,
        "n_tokens": len(nats_N),
        "n_titles": len(where.titles),
        "n_chars": n_chars,
        "tokens": [
            broken_down("position", "place of the token in its title", positions, position_N),
            broken_down("part", "part of the text", _PART_KINDS, part_N),
            broken_down("frequency", "occurrences of the token in training", count_kinds, count_N),
            broken_down("context", "tokens to the left that the row shows", contexts, context_N),
        ],
        "titles": [
            broken_down(b.name, b.label, b.kinds, b.of_title[where.title_N], b.of_title)
            for b in break_down(where.titles, data.split.train)
        ],
        **extremes(case.log_probs_N, where, N_EXTREMES),
    }


def extremes(log_probs_N: np.ndarray, where: Targets, k: int) -> dict[str, list[dict[str, Any]]]:
    """Return the k `worst` and the k `best` titles by nats per character: `index` (in the validation split), `nats`,
    `n_chars`, `nats_per_char`."""
    nats, n_chars = where.by_title(-log_probs_N), where.n_chars
    columns = {"nats": nats, "n_chars": n_chars, "nats_per_char": nats / n_chars}
    ends = zip(("worst", "best"), worst_and_best(nats / n_chars, k), strict=True)
    return {
        end: [{"index": int(i), **{name: of[i].item() for name, of in columns.items()}} for i in titles]
        for end, titles in ends
    }


def worst_and_best(losses: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the indices of the k highest losses, falling, and of the k lowest, rising."""
    order = np.argsort(-losses, kind="stable")
    return order[:k], order[::-1][:k]


def compute_extremes(case: Case) -> dict[str, Any]:
    """Return the worst and the best titles with their text, which is the corpus's and not ours to publish."""
    ends = extremes(case.log_probs_N, case.where, N_EXTREMES_LOCAL)
    return {end: [{**row, "text": case.where.titles[row["index"]]} for row in rows] for end, rows in ends.items()}


_LABELS = {"known": "whether the title occurs in training"}  # behind "by", where a breakdown's own does not fit
_PART_KINDS = (
    Kind("word", "new word, after a space"),
    Kind("continuation", "goes on without a space"),
    Kind("punctuation", "punctuation alone"),
    Kind("eos", "<eos>"),
)


def parts_of_tokens(tokenizer: Tokenizer) -> np.ndarray:
    """Return each token's index into the kinds of part (word, continuation, punctuation, eos): (V,)."""

    def part(id: int) -> int:
        if id == tokenizer.eos_id:
            return 3
        text = tokenizer.show(id)
        if tokenizer.is_text(id) and not any(c.isalnum() for c in text):
            return 2
        return 0 if text.startswith(" ") else 1

    return np.array([part(id) for id in range(tokenizer.vocab_size)])


def _context_lengths(rows: Rows, n_targets: int) -> np.ndarray:
    """How many tokens of its row each target is predicted from: at least one."""
    lengths_N = np.zeros(n_targets, dtype=np.int64)
    for start, first, stop in zip(*rows, strict=True):
        lengths_N[first:stop] = np.arange(first, stop) - start + 1
    return lengths_N


def _ranges(edges: Sequence[int], what: str, first: int) -> tuple[Kind, ...]:
    """Kinds between the edges: 1, 2, 3-5, 6 and more."""
    kinds = []
    for low, high in zip((first, *edges), (*edges, None), strict=True):
        if high is None:
            kinds.append(Kind(f"{what}_from_{low}", f"{low:,} and more"))
        elif high - low == 1:
            kinds.append(Kind(f"{what}_{low}", f"{low:,}"))
        else:
            kinds.append(Kind(f"{what}_{low}_to_{high - 1}", f"{low:,}–{high - 1:,}"))
    return tuple(kinds)


def figure(content: Content, run: str | None, part: str) -> str:
    """Return the SVG of one breakdown.

    Args:
        content: where_loss.json of one run, or of several by label (they share the validation titles).
        run: what the title calls a single run.
        part: the breakdown: position, part, frequency, context, prefix, year, tag, digits, question, length, known.
    """
    runs: Mapping[str, Content] = {"": content} if "exact_val_loss" in content else content
    breakdowns = {name: _breakdown(each, part) for name, each in runs.items()}
    first_run, first = next(iter(runs.values())), next(iter(breakdowns.values()))
    key, metric = _loss_of(first)
    labels = [kind["label"] for kind in first["parts"]]
    what = _LABELS.get(part, first["label"])

    def build(figure: Figure) -> None:
        axes, shares = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1.4))
        height = 0.8 / len(breakdowns)
        for index, (name, breakdown) in enumerate(breakdowns.items()):
            by_label = {kind["label"]: kind for kind in breakdown["parts"]}
            kinds = [by_label[text] for text in labels]
            places = [row + (index - (len(breakdowns) - 1) / 2) * height for row in range(len(labels))]
            look = {"height": height * 0.9, "color": PALETTE[index % len(PALETTE)]}
            axes.barh(places, [kind[key] for kind in kinds], label=name or None, **look)
            for place, kind in zip(places, kinds, strict=True):
                ground = {"facecolor": "white", "edgecolor": "none", "pad": 0.4}  # the dotted line ends at it
                label(axes, format_metric(metric, kind[key]), (kind[key], place), 3, fontsize=8.5, bbox=ground)
            shares.barh(places, [100 * kind["share"] for kind in kinds], **look)
            of_run, mean = runs[name], runs[name]["exact_val_loss"]
            if key == "nats_per_token":
                mean = mean * of_run["n_chars"] / of_run["n_tokens"]
            axes.axvline(mean, color=look["color"], linewidth=1, linestyle=":")
        name_rows(axes, labels)
        shares.grid(visible=False, axis="y")
        for panel in (axes, shares):
            panel.tick_params(axis="y", length=0)
        most = max(kind[key] for b in breakdowns.values() for kind in b["parts"])
        axes.set(xlim=(0, 1.17 * most), xlabel=f"loss ({key.replace('_', ' ').replace('char', 'character')})")
        shares.set_xlabel("share of all nats (%)")
        # over the whole width: long labels leave the axes little
        heading(figure, f"Loss by {what}" + (f": {run}" if run else ""), axes if len(breakdowns) > 1 else None)
        counted = f"{first_run['n_tokens']:,} tokens of {first_run['n_titles']:,} validation titles, each counted once"
        note(axes, f"dotted: over everything; {counted}")

    rows = len(labels) * max(1, len(breakdowns) * 0.8)
    return draw(build, 1.6 + 0.28 * rows, f"Bar chart of the loss by {what}")


def text(runs: Mapping[str, Content], part: str) -> list[list[str]]:
    """Return one breakdown as rows of text: a kind per row, a run per column. `runs`: where_loss.json by label."""
    first = _breakdown(next(iter(runs.values())), part)
    key, metric = _loss_of(first)
    losses = [{kind["name"]: kind[key] for kind in _breakdown(content, part)["parts"]} for content in runs.values()]
    rows = [[first["label"], *(f"{name} ({METRICS[metric].unit})" for name in runs)]]
    for kind in first["parts"]:
        rows.append([kind["label"], *(format_metric(metric, loss.get(kind["name"])) for loss in losses)])
    return rows


def _breakdown(content: Content, name: str) -> Content:
    found: Content = next(b for b in (*content["tokens"], *content["titles"]) if b["name"] == name)
    return found


def _loss_of(breakdown: Content) -> tuple[str, str]:
    """The key of a part's loss, and the metric that formats it."""
    of_titles = "n_titles" in breakdown["parts"][0]
    return ("nats_per_char", "exact_val_loss") if of_titles else ("nats_per_token", "nats_per_token")


def view(content: Content) -> terminal.View:
    """Return one table per breakdown; the dim last column draws the share of all nats."""

    def table(breakdown: Content) -> terminal.View:
        key, metric = _loss_of(breakdown)
        what = "titles" if key == "nats_per_char" else "tokens"
        columns: tuple[terminal.Column, ...] = (
            {"header": f"by {_LABELS.get(breakdown['name'], breakdown['label'])}", "min_width": 38, "max_width": 38},
            {"header": what, "justify": "right", "min_width": 8},
            {"header": METRICS[metric].unit, "justify": "right", "min_width": 10},
            ">share",
            {"style": "dim"},
        )
        rows = [
            [kind["label"], f"{kind[f'n_{what}']:,}", format_metric(metric, kind[key])]
            + [*terminal.share_cells(kind["share"])]
            for kind in breakdown["parts"]
        ]
        return terminal.table(columns, rows, padding=(0, 1))

    exact = format_metric("exact_val_loss", content["exact_val_loss"], unit=True)
    title = f"Where the loss is: {exact} over {content['n_tokens']:,} tokens; share: of all nats"
    return terminal.stack(title, *map(table, (*content["tokens"], *content["titles"])))


def extremes_view(content: Content) -> terminal.View:
    rows = (
        (end, format_metric("title_loss", row["nats_per_char"]), str(row["index"]), terminal.plain(row["text"]))
        for end in ("worst", "best")
        for row in content[end][:5]
    )
    table = terminal.table(("", ">nats/char", ">number", "title"), rows)
    return terminal.stack("Worst and best validation titles (this list is never published)", table)


WHERE_LOSS = Question(
    "where_loss",
    "the loss by place, token and kind of title",
    compute,
    view,
    figure,
    parts=lambda content: [b["name"] for b in (*content["tokens"], *content["titles"])],
)
EXTREME_TITLES = Question(
    "extreme_titles",
    "the worst and the best titles, with their text (stays in the run folder)",
    compute_extremes,
    extremes_view,
    publish=False,
)
