"""Where the loss is: the exact loss cut up by place in the title, kind of token and kind of title. No torch.

Every breakdown is complete: its parts' nats add up to the exact loss, and so do their `contribution`s. What a title
loses is the sum over its tokens and its closing `<eos>`, in the rows in which the recipe is scored.

N targets of the validation stream, V vocabulary.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from sevenepochs.data.titles import Breakdown, Kind
from sevenepochs.data.tokenizer.base import Tokenizer
from sevenepochs.metrics import METRICS, format_metric
from sevenepochs.protocol.budget import char_count
from sevenepochs.protocol.rows import Rows
from sevenepochs.questions import terminal
from sevenepochs.questions.figures.style import PALETTE, draw, heading, note
from sevenepochs.questions.question import Content, Question
from sevenepochs.questions.targets import Targets

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.console import RenderableType
    from rich.table import Table

N_EXTREMES = 10  # titles on either end that are published, by number
N_EXTREMES_LOCAL = 50  # those whose text is kept, in the run folder alone
_POSITION_EDGES = (2, 3, 4, 5, 6, 8, 11, 16)  # first position (from 1) of each part but the first
_COUNT_EDGES = (1, 10, 100, 1_000, 10_000)
_CONTEXT_EDGES = (2, 4, 8, 16, 32, 64, 128)
_BAR_IN = 0.2
_EXTREMES_SHOWN = 5


def analyze(
    log_probs_N: np.ndarray,
    where: Targets,
    rows: Rows,
    tokenizer: Tokenizer,
    train_counts_V: np.ndarray,
    breakdowns: Sequence[Breakdown],
) -> dict[str, Any]:
    """The exact loss, and each breakdown with its parts.

    Args:
        log_probs_N: ln p of each target, as the exact metric has them.
        breakdowns: of the validation titles, from `title_kinds.break_down`.

    Returns:
        `exact_val_loss`, `n_tokens`, `n_titles`, `n_chars`; `tokens` and `titles`: breakdowns (`name`, `label`,
        `parts`); a part has `name`, `label`, `n_tokens`, `nats`, `share` (of all nats), `nats_per_token`,
        `contribution` (nats per character of the whole text: they add up to the exact loss), and among titles
        `n_titles`, `n_chars`, `nats_per_char` (over the part's own characters). `worst` and `best`: indices of titles
        with their loss.
    """
    nats_N = -log_probs_N
    n_chars = char_count(where.titles)
    total = math.fsum(nats_N)

    def part(kind: Kind, inside_N: np.ndarray) -> dict[str, Any]:
        nats, n = math.fsum(nats_N[inside_N]), int(inside_N.sum())
        return {
            "name": kind.name,
            "label": kind.label,
            "n_tokens": n,
            "nats": nats,
            "share": nats / total,
            "nats_per_token": nats / n,
            "contribution": nats / n_chars,
        }

    def breakdown(name: str, label: str, kinds: Sequence[Kind], of_N: np.ndarray) -> dict[str, Any]:
        parts = [part(kind, of_N == i) for i, kind in enumerate(kinds) if (of_N == i).any()]
        return {"name": name, "label": label, "parts": parts}

    def title_breakdown(b: Breakdown) -> dict[str, Any]:
        parts = []
        for i, kind in enumerate(b.kinds):
            of_kind = b.of_title == i
            if of_kind.any():
                row = part(kind, of_kind[where.title_N])
                chars = int(where.n_chars[of_kind].sum())
                parts.append(
                    {**row, "n_titles": int(of_kind.sum()), "n_chars": chars, "nats_per_char": row["nats"] / chars}
                )
        return {"name": b.name, "label": b.label, "parts": parts}

    worst, best = extremes(where.by_title(nats_N), where, N_EXTREMES)
    return {
        "exact_val_loss": total / n_chars,
        "n_tokens": len(nats_N),
        "n_titles": len(where.titles),
        "n_chars": n_chars,
        "tokens": [
            breakdown(
                "position",
                "place of the token in its title",
                _ranges(_POSITION_EDGES, "token", first=1),
                np.searchsorted(_POSITION_EDGES, where.position_N, side="right"),
            ),
            breakdown("part", "part of the text", _PART_KINDS, parts_of_tokens(tokenizer)[where.ids_N]),
            breakdown(
                "frequency",
                "occurrences of the token in training",
                (*_ranges(_COUNT_EDGES, "times", first=0), Kind("eos", "<eos>")),
                np.where(
                    where.ids_N == tokenizer.eos_id,
                    len(_COUNT_EDGES) + 1,
                    np.searchsorted(_COUNT_EDGES, train_counts_V[where.ids_N], side="right"),
                ),
            ),
            breakdown(
                "context",
                "tokens to the left that the row shows",
                _ranges(_CONTEXT_EDGES, "tokens", first=1),
                np.searchsorted(_CONTEXT_EDGES, _context_lengths(rows, len(nats_N)), side="right"),
            ),
        ],
        "titles": [title_breakdown(b) for b in breakdowns],
        "worst": worst,
        "best": best,
    }


def extremes(nats: np.ndarray, where: Targets, k: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The k worst and the k best titles by nats per character: `index` (in the validation split), `nats`, `n_chars`,
    `nats_per_char`."""
    n_chars = where.n_chars
    per_char = nats / n_chars

    def rows(index: np.ndarray) -> list[dict[str, Any]]:
        return [
            {
                "index": int(i),
                "nats": float(nats[i]),
                "n_chars": int(n_chars[i]),
                "nats_per_char": float(per_char[i]),
            }
            for i in index
        ]

    worst, best = worst_and_best(per_char, k)
    return rows(worst), rows(best)


def worst_and_best(losses: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Indices of the k highest losses, falling, and of the k lowest, rising."""
    order = np.argsort(-losses, kind="stable")
    return order[:k], order[::-1][:k]


def with_text(log_probs_N: np.ndarray, where: Targets) -> dict[str, Any]:
    """The worst and the best titles with their text, which is the corpus's and not ours to publish."""
    worst, best = extremes(where.by_title(-log_probs_N), where, N_EXTREMES_LOCAL)
    return {
        "worst": [{**row, "text": where.titles[row["index"]]} for row in worst],
        "best": [{**row, "text": where.titles[row["index"]]} for row in best],
    }


_PART_KINDS = (
    Kind("word", "new word, after a space"),
    Kind("continuation", "goes on without a space"),
    Kind("punctuation", "punctuation alone"),
    Kind("eos", "<eos>"),
)


def parts_of_tokens(tokenizer: Tokenizer) -> np.ndarray:
    """Index into the kinds of part (word, continuation, punctuation, eos) of every token: (V,)."""

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
        lengths_N[first:stop] = np.arange(first - start + 1, stop - start + 1)
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


_BAR_IN = 0.2


def figure(content: Content, run: str | None, part: str) -> str:
    """The SVG of one breakdown.

    Args:
        content: where_loss.json of one run, or of several by label (they share the validation titles).
        run: what the title calls a single run.
        part: the breakdown: position, part, frequency, context, prefix, year, tag, digits, question, length, known.
    """
    runs: Mapping[str, Content] = {"": content} if "exact_val_loss" in content else content
    of_titles = any(b["name"] == part for b in next(iter(runs.values()))["titles"])
    breakdowns = {label: _breakdown(each, part) for label, each in runs.items()}
    first = next(iter(breakdowns.values()))
    labels = [part["label"] for part in first["parts"]]
    what = "whether the title occurs in training" if part == "known" else first["label"]
    key, unit = ("nats_per_char", "nats per character") if of_titles else ("nats_per_token", "nats per token")

    def build(figure: Figure) -> None:
        axes, shares = figure.subplots(1, 2, sharey=True, width_ratios=(3, 1.4))
        height = 0.8 / len(breakdowns)
        for index, (label, breakdown) in enumerate(breakdowns.items()):
            by_label = {part["label"]: part for part in breakdown["parts"]}
            places = [row + (index - (len(breakdowns) - 1) / 2) * height for row in range(len(labels))]
            parts = [by_label[text] for text in labels]
            values = [part[key] for part in parts]
            axes.barh(places, values, height=height * 0.9, color=PALETTE[index % len(PALETTE)], label=label or None)
            for place, value in zip(places, values, strict=True):
                text = format_metric("exact_val_loss" if of_titles else "nats_per_token", value)
                axes.annotate(
                    text,
                    (value, place),
                    xytext=(3, 0),
                    textcoords="offset points",
                    va="center",
                    fontsize=8.5,
                    bbox={"facecolor": "white", "edgecolor": "none", "pad": 0.4},  # the dotted line ends at it
                )
            shares.barh(
                places,
                [100 * part["share"] for part in parts],
                height=height * 0.9,
                color=PALETTE[index % len(PALETTE)],
            )
            axes.axvline(_mean(runs[label], of_titles), color=PALETTE[index % len(PALETTE)], linewidth=1, linestyle=":")
        axes.set_yticks(range(len(labels)), labels)
        axes.set_ylim(len(labels) - 0.4, -0.6)
        axes.set_xlim(0, 1.17 * max(part[key] for b in breakdowns.values() for part in b["parts"]))
        for panel in (axes, shares):
            panel.grid(visible=False, axis="y")
            panel.tick_params(axis="y", length=0)
        axes.set_xlabel(f"loss ({unit})")
        shares.set_xlabel("share of all nats (%)")
        # over the whole width: long labels leave the axes little
        text = f"Loss by {what}" + (f": {run}" if run else "")
        heading(figure, text, axes if len(breakdowns) > 1 else None)
        note(axes, f"dotted: over everything; {_counted(next(iter(runs.values())))}")

    rows = len(labels) * max(1, len(breakdowns) * 0.8)
    return draw(build, 1.6 + (_BAR_IN + 0.08) * rows, f"Bar chart of the loss by {what}")


def text(runs: Mapping[str, Content], part: str) -> list[list[str]]:
    """One breakdown as rows of text: a kind per row, a run per column.

    Args:
        runs: where_loss.json by label.
    """
    first = _breakdown(next(iter(runs.values())), part)
    of_titles = "n_titles" in first["parts"][0]
    key, metric = ("nats_per_char", "exact_val_loss") if of_titles else ("nats_per_token", "nats_per_token")
    losses = [{kind["name"]: kind[key] for kind in _breakdown(content, part)["parts"]} for content in runs.values()]
    rows = [[first["label"], *(f"{label} ({METRICS[metric].unit})" for label in runs)]]
    for kind in first["parts"]:
        rows.append([kind["label"], *(format_metric(metric, loss.get(kind["name"])) for loss in losses)])
    return rows


def _breakdown(content: Content, name: str) -> Content:
    return next(b for b in (*content["tokens"], *content["titles"]) if b["name"] == name)


def _mean(content: Content, of_titles: bool) -> float:
    exact = float(content["exact_val_loss"])
    return exact if of_titles else exact * content["n_chars"] / content["n_tokens"]


def _counted(content: Content) -> str:
    return f"{content['n_tokens']:,} tokens of {content['n_titles']:,} validation titles, each counted once"


def view(content: Content) -> RenderableType:
    """One table per breakdown; the dim last column draws the share of all nats."""
    from rich.console import Group

    exact = format_metric("exact_val_loss", content["exact_val_loss"], unit=True)
    text = f"Where the loss is: {exact} over {content['n_tokens']:,} tokens; share: of all nats"
    of_tokens = (_loss_table(b, "tokens", "nats/token", "nats_per_token", "nats_per_token") for b in content["tokens"])
    of_titles = (_loss_table(b, "titles", "nats/char", "nats_per_char", "exact_val_loss") for b in content["titles"])
    return Group(terminal.heading(text), *of_tokens, *of_titles)


def _loss_table(breakdown: Mapping[str, Any], what: str, unit: str, key: str, metric: str) -> Table:
    from rich.text import Text

    table = terminal.table(padding=(0, 1))
    table.add_column(f"by {breakdown['label']}", min_width=38, max_width=38, no_wrap=True)
    table.add_column(what, justify="right", min_width=8)
    table.add_column(unit, justify="right", min_width=10)
    table.add_column("share", justify="right")
    table.add_column("", style="dim")
    for part in breakdown["parts"]:
        loss = format_metric(metric, part[key])
        table.add_row(Text(part["label"]), f"{part[f'n_{what}']:,}", loss, *terminal.share_cells(part["share"]))
    return table


def extremes_view(content: Content) -> RenderableType:
    """The first few on either end."""
    from rich.console import Group
    from rich.text import Text

    table = terminal.table("", ">nats/char", ">number", "title")
    for end in ("worst", "best"):
        for row in content[end][:_EXTREMES_SHOWN]:
            loss = format_metric("title_loss", row["nats_per_char"])
            table.add_row(end, loss, str(row["index"]), Text(terminal.plain(row["text"])))
    return Group(terminal.heading("Worst and best validation titles (this list is never published)"), table)


WHERE_LOSS = Question(
    "where_loss",
    "the loss by place, token and kind of title",
    lambda case: analyze(
        case.log_probs_N, case.where, case.rows, case.data.tokenizer, case.train_counts_V, case.breakdowns
    ),
    view,
    figure,
    parts=lambda content: [b["name"] for b in (*content["tokens"], *content["titles"])],
)
EXTREME_TITLES = Question(
    "extreme_titles",
    "the worst and the best titles, with their text (stays in the run folder)",
    lambda case: with_text(case.log_probs_N, case.where),
    extremes_view,
    publish=False,
)
