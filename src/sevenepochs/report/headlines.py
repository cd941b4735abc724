"""Five headlines through the story: the first validation titles, each token shaded by its surprise, a row per step.

A result keeps the loss of every validation token (`store/token_losses.py`) and how many bytes each token stands for.
The titles themselves are read from the contexts of the published `next_token` answers. No torch.
"""

from __future__ import annotations

import itertools
from bisect import bisect
from collections.abc import Sequence

import numpy as np

from sevenepochs.metrics import format_metric
from sevenepochs.protocol.budget import EOS
from sevenepochs.questions.terminal import visible
from sevenepochs.report.fragments import code, fence
from sevenepochs.report.inputs import Published
from sevenepochs.report.story import Story
from sevenepochs.report.tables import table

_N_TITLES = 5
_SHADES = (0.5, 1, 2, 4, 6, 8)  # nats at which a darker shade begins; site.css has one class more: nats-0 to nats-6


def headlines(story: Story, names: Sequence[str]) -> str:
    """A table per title and in it a row per part or recipe, before them those that are missing; "" without titles or
    losses by token. Raises UserError: published losses by token are damaged, or a name is none of the story's."""
    titles = _titles(story)
    if not titles:
        return ""
    found = {story.recipe(name): _tokens(run, titles) if (run := story.run(name)) else None for name in names}
    steps = {recipe: tokens for recipe, tokens in found.items() if tokens}
    if not steps:
        return ""
    bounds = [f"{low:g} to {high:g}" for low, high in itertools.pairwise((0, *_SHADES))]
    legend = " ".join(_shaded(bound, shade) for shade, bound in enumerate([*bounds, f"{_SHADES[-1]:g} and more"]))
    blocks = [f"Surprise of a token in nats: {legend}"]
    if missing := [f"`{recipe}`" for recipe in found if recipe not in steps]:
        blocks.append(f"Missing, because no published run of it has losses by token: {', '.join(missing)}.")
    for number, title in enumerate(titles):
        rows = []
        for recipe, tokens in steps.items():
            cut = "".join(itertools.starmap(_token, tokens[number]))
            total = format_metric("surprisal_nats", sum(nats for _, nats in tokens[number]))
            rows.append([f"`{recipe}`", cut, total])
        blocks.append(table(["", code(title.strip()), "nats"], rows))
    return "\n\n".join([":::{div}\n:class: headlines", *blocks, ":::"])


def _titles(story: Story) -> list[str]:
    """The first validation titles as the tokenizers see them, with the space before each."""
    contexts = [place["context"] for p in story.everything for place in p.places]
    return max(contexts, key=len, default="").split(EOS)[:-1][:_N_TITLES]  # the last one is cut off


def _tokens(published: Published, titles: Sequence[str]) -> list[list[tuple[str, float]]] | None:
    """Each title's tokens with their surprise in nats, the closing `<eos>` included; None where the result has no
    losses by token, or its tokens' bytes are not the titles' (a tokenizer that changes text)."""
    losses = published.token_losses
    if losses is None:
        return None
    ends = np.flatnonzero(losses.n_bytes == 0)[: len(titles)]
    found = []
    for title, start, end in zip(titles, [0, *(ends[:-1] + 1)], ends, strict=True):
        text = title.encode()
        places = [0, *np.cumsum(losses.n_bytes[start:end]).tolist()]
        if places[-1] != len(text):
            return None
        pieces = [text[a:b].decode(errors="backslashreplace") for a, b in itertools.pairwise(places)]
        found.append(list(zip([*pieces, EOS], (-losses.log_probs[start : end + 1]).tolist(), strict=True)))
    return found


def _token(text: str, nats: float) -> str:
    space = " " if text.startswith(" ") or text == EOS else ""
    told = f"{code(visible(text.strip(' ') or text))} {format_metric('surprisal_nats', nats)}"
    return space + _shaded(told, bisect(_SHADES, nats))


def _shaded(content: str, shade: int) -> str:
    marks = fence(content)
    pad = " " if content.startswith("`") else ""
    return f"{{span .nats-{shade}}}{marks}{pad}{content}{pad}{marks}"
