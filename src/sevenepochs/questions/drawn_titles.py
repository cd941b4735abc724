"""What a model writes when nothing is asked of it: how much of it is copied, how varied and how long it is.

Titles are drawn from the model's own distribution, at temperature 1 and from all tokens, so the shares and means are
those of what it has learned, not of a way to draw. Beside them stand the same of the titles that people wrote.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from sevenepochs.ask.model import Model
from sevenepochs.ask.predictions import Progress
from sevenepochs.ask.samples import Drawing, Sample, draw, title
from sevenepochs.comparison.paired import mean_interval
from sevenepochs.data.titles import normalised
from sevenepochs.protocol.budget import Split
from sevenepochs.questions.calibration import wilson

N_TITLES = 200
N_EXAMPLES = 10
DRAWING = Drawing(temperature=1.0, top_k=None, seed=1)


def analyze(model: Model, split: Split, progress: Progress = lambda done, total: None) -> dict[str, Any]:
    """200 titles without a prompt, the same ones each time.

    Args:
        split: what the model was trained and validated on.
        progress: told how many titles are whole, of how many.

    Returns:
        `n_titles`, `temperature`, `seed`, `max_tokens`, `n_ended` (the others were cut); `copied`: those that are a
        training title word for word, and for comparison `copied_by_people`: the validation titles that are, both as
        `n`, `n_titles`, `share` and its 95 % `interval` (Wilson); `n_distinct`, `distinct_share`; `mean_chars` with
        its 95 % `mean_chars_interval` (t), `training_mean_chars`, `n_training_titles`; `examples`: the first ten that
        are whole and neither a training nor a validation title, nor nearly one: text of the model, not of the corpus.
    """
    samples: list[Sample] = []
    for samples in draw(model, "", N_TITLES, DRAWING):
        progress(sum(_is_done(sample) for sample in samples), N_TITLES)
    titles = [title(model, "", sample) for sample in samples]
    whole = [text for text, sample in zip(titles, samples, strict=True) if sample.ended]
    training = frozenset(split.train)
    chars = [len(text) for text in titles]
    interval = mean_interval(chars)
    assert interval is not None, "of 200 titles"
    return {
        "n_titles": len(titles),
        "temperature": DRAWING.temperature,
        "seed": DRAWING.seed,
        "max_tokens": DRAWING.max_tokens,
        "n_ended": len(whole),
        "copied": _share(sum(text in training for text in whole), len(titles)),
        "copied_by_people": _share(sum(text in training for text in split.validation), len(split.validation)),
        "n_distinct": len(set(titles)),
        "distinct_share": len(set(titles)) / len(titles),
        "mean_chars": float(np.mean(chars)),
        "mean_chars_interval": list(interval),
        "training_mean_chars": float(np.mean([len(text) for text in split.train])),
        "n_training_titles": len(split.train),
        "examples": _examples(whole, split),
    }


def _is_done(sample: Sample) -> bool:
    return sample.ended or len(sample.ids) == DRAWING.max_tokens


def _share(n: int, n_titles: int) -> dict[str, Any]:
    share = n / n_titles
    return {"n": n, "n_titles": n_titles, "share": share, "interval": wilson(share, n_titles)}


def _examples(titles: Sequence[str], split: Split) -> list[str]:
    """The first few that no title of the corpus is or nearly is: what is published must not be the corpus's text."""
    known = {normalised(text) for text in (*split.train, *split.validation)}
    own = dict.fromkeys(text for text in titles if text and normalised(text) not in known)
    return list(own)[:N_EXAMPLES]
