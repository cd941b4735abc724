"""Names of the standard analyses and what they answer, for whoever must not import torch to know them."""

from __future__ import annotations

from collections.abc import Iterable

from sevenepochs.errors import UserError, nearest

# Places of the first stock validation window: row, position of the last token read.
STORY_PLACES = ((0, 10), (0, 80))
DESCRIPTIONS = {
    "data": "what the model reads: lengths, words, kinds of titles",
    "token_frequency": "the most frequent training tokens",
    "next_token": "the most probable next tokens at two places of the validation text",
    "where_loss": "the loss by place, token and kind of title",
    "extreme_titles": "the worst and the best titles, with their text (stays in the run folder)",
    "memorisation": "the loss on titles that occur in training",
    "collapse": "does the model use its context? (one pass over the validation text)",
    "calibration": "how often it is right, by how sure it is (the same pass)",
    "samples": "what it writes when nothing is asked of it, and how much of that is copied",
    "layers": "what the answer of each layer loses, and where the heads look",
}


def check_names(names: Iterable[str]) -> None:
    """Raise a UserError for a name that is no analysis."""
    for name in names:
        if name not in DESCRIPTIONS:
            raise UserError(f"there is no analysis {name!r}{nearest(name, list(DESCRIPTIONS))}")
