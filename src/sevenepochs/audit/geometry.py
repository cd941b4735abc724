"""Geometry: the sizes that a log's opening events give, from which the evaluation windows follow."""

from __future__ import annotations

from dataclasses import dataclass

from sevenepochs.audit.log import LoggedRun
from sevenepochs.protocol.budget import NUM_TITLES, VAL_FRACTION

_LARGEST_SIDE = 10**7  # of a batch or a row; anything larger is a slip of the pen


@dataclass(frozen=True)
class Geometry:
    """Sizes in tokens and titles; None where the log does not say.

    Attributes:
        batch_size, block_size: of the evaluation; the training's unless the log names others.
        is_inferred: batch*block was found from tokens and batches of an epoch, as the log does not give them.
        val_tokens, val_chars: only where a log was extended by them.
    """

    batch_size: int | None
    block_size: int | None
    window_tokens: int | None  # targets of one window: batch*block
    training_batch_tokens: int | None
    is_inferred: bool
    tokens_per_epoch: int | None
    batches_per_epoch: int | None
    n_train_titles: int
    n_val_titles: int
    vocab_size: int | None
    parameters: int | None
    val_tokens: int | None = None
    val_chars: int | None = None


def geometry_of(run: LoggedRun) -> Geometry:
    """The sizes of a logged run."""
    batch, block = _side(run, "batch_size"), _side(run, "block_size", "context_length", "seq_len")
    eval_batch = _side(run, "eval_batch_size", "val_batch_size") or batch
    eval_block = _side(run, "eval_block_size", "val_block_size") or block
    tokens, batches = run.count("tokens_per_epoch"), run.count("batches_per_epoch")
    training_batch = _side(run, "train_batch_size", "training_batch_size") or batch
    training_tokens = training_batch * block if training_batch and block else None
    window_tokens = eval_batch * eval_block if eval_batch and eval_block else None
    inferred = window_tokens is None and tokens is not None and batches is not None
    if inferred:
        assert tokens is not None and batches is not None
        training_tokens = window_tokens = _batch_tokens(tokens, batches)
    n_titles = run.count("num_titles") or NUM_TITLES
    n_train = run.count("titles_count") or int(n_titles * (1 - VAL_FRACTION))
    if run.count("num_titles") is None:
        n_titles = round(n_train / (1 - VAL_FRACTION))
    return Geometry(
        batch_size=eval_batch,
        block_size=eval_block,
        window_tokens=window_tokens,
        training_batch_tokens=training_tokens,
        is_inferred=inferred and window_tokens is not None,
        tokens_per_epoch=tokens,
        batches_per_epoch=batches,
        n_train_titles=n_train,
        n_val_titles=n_titles - n_train if n_titles > n_train else max(1, round(n_train / 9)),
        vocab_size=run.vocab_size or run.count("vocab_size"),
        parameters=run.count("parameters_count"),
        val_tokens=run.count("val_tokens", "validation_tokens", "val_tokens_count"),
        val_chars=run.count("val_chars", "validation_chars", "val_characters"),
    )


def _side(run: LoggedRun, *names: str) -> int | None:
    value = run.count(*names)
    return value if value is not None and value <= _LARGEST_SIDE else None


def _batch_tokens(tokens: int, batches: int) -> int | None:
    """The only power of two that gives this many batches from this many tokens; None when there is none."""
    fitting = [2**n for n in range(4, 25) if tokens // 2**n == batches]
    return fitting[0] if len(fitting) == 1 else None
