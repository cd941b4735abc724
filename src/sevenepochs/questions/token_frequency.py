"""What the model reads most: the most frequent tokens of the training stream."""

from __future__ import annotations

from typing import Any

import numpy as np

from sevenepochs.data.tokenizer.base import Tokenizer


def most_frequent(tokenizer: Tokenizer, train_ids: np.ndarray, k: int = 20) -> dict[str, Any]:
    """The k most frequent tokens with counts and shares, `<eos>` among them."""
    counts_V = np.bincount(train_ids, minlength=tokenizer.vocab_size)
    order = np.argsort(-counts_V, kind="stable")[:k]
    return {
        "n_tokens": len(train_ids),
        "eos_share": float(counts_V[tokenizer.eos_id] / len(train_ids)),
        "top": [
            {
                "id": int(i),
                "token": tokenizer.decode([int(i)]),
                "count": int(counts_V[i]),
                "share": float(counts_V[i] / len(train_ids)),
            }
            for i in order
        ],
    }
