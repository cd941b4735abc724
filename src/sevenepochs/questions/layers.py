"""Layer by layer over many titles: what the logit lens loses after each layer, and where each head looks on average.

The lens reads the residual stream after the embedding and after each block as if it were the last one (see
`logit_lens.py`); early layers were never trained to be read so. Each title is read alone after `<eos>`: its tokens and
its closing `<eos>` are predicted from that title only, which is not quite what a run's figures are made of.

L layers, H heads, T tokens of a context, N tokens of a batch, D model, V vocabulary, X habits of heads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sevenepochs.ask.inside import HABITS, even_weights, habit_sums
from sevenepochs.ask.model import Activations, Model
from sevenepochs.ask.predictions import Progress

N_TITLES = 500  # some 6,400 tokens
_TITLES_AT_ONCE = 16  # the lens gives a number for every token of the vocabulary at every place
_NAMES = {"first_share": "eos_share"}  # a context's first token is always the <eos>


def analyze(model: Model, titles: Sequence[str], progress: Progress = lambda done, total: None) -> dict[str, Any]:
    """The lens' losses and the heads' habits over the first 500 titles.

    Args:
        titles: of the validation split; of one that is longer than the model reads at once its beginning counts.
        progress: told how many titles are done, of how many.

    Returns:
        `n_titles`, `n_tokens` (predicted ones); `lens`: rows of `name` ("embedding", "block 1", ...) and
        `nats_per_token`, the last of which is the model's own loss on these tokens; `heads`: [layer][head] means over
        all queries but each title's first, as `eos_share` (of the weight, on the `<eos>` before the title),
        `previous_share` (on the token before; a title's first token has the `<eos>` before it), `self_share` and
        `mean_distance` (in tokens); `even`: what a head that looks at all it may see alike would have, as `share` (of
        each of the three) and `mean_distance`.
    """
    # titles of like length are read together, so that little is padded
    streams = sorted((_stream(model, title) for title in titles[:N_TITLES]), key=len)
    nats: list[np.ndarray] = []
    habits: list[np.ndarray] = []
    even: list[np.ndarray] = []
    for low in range(0, len(streams), _TITLES_AT_ONCE):
        batch = streams[low : low + _TITLES_AT_ONCE]
        traces = model.activations([ids[:-1] for ids in batch])
        nats.append(_lens_nats(model, traces, np.concatenate([ids[1:] for ids in batch])))
        habits += [habit_sums(trace.attention_LHTS.astype(np.float64)) for trace in traces]
        even += [habit_sums(even_weights(len(trace.ids_T)))[:, 0, 0] for trace in traces]
        progress(low + len(batch), len(streams))
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
            _NAMES.get(name, name): np.round(habit_LH, 5).tolist()
            for name, habit_LH in zip(HABITS, habits_XLH, strict=True)
        },
        "even": {"share": float(even_of["previous_share"]), "mean_distance": float(even_of["mean_distance"])},
    }


def _stream(model: Model, title: str) -> np.ndarray:
    """`<eos>`, the title and its closing `<eos>`, as far as the model reads at once."""
    return np.append(model.encode(title), model.eos_id)[: model.block_size + 1]


def _lens_nats(model: Model, traces: Sequence[Activations], targets_N: np.ndarray) -> np.ndarray:
    """What all the targets of a batch cost each layer's lens together: (L + 1,)."""
    hidden_LND = np.concatenate([trace.hidden_LTD for trace in traces], axis=1)
    at_N = np.arange(len(targets_N))
    return np.array([-log_probs_NV[at_N, targets_N].sum(dtype=np.float64) for log_probs_NV in model.lens(hidden_LND)])
