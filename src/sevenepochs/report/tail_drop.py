"""The tail-drop example: what the stock rule would score, and so print, for one and the same model at other window
sizes. Computed from a result's figures; no model is run. No torch."""

from __future__ import annotations

from typing import NamedTuple

from sevenepochs.report.inputs import Published

GEOMETRIES = ((64, 128), (32, 128), (16, 256), (64, 256), (128, 256), (256, 256))  # stock's first


class Window(NamedTuple):
    """One window size of `evaluate()`.

    `n_windows` is how many whole windows fit, `fraction` the share of the tokens that they score. `printed` is about
    what the stock rule prints, nats per character, if the dropped tail is like the rest; None when no window fits.
    """

    batch_size: int
    block_size: int
    n_windows: int
    fraction: float
    printed: float | None


def n_validation_tokens(published: Published) -> int | None:
    """Return the tokens of the validation stream, from the share that windows of a known size scored; None where none
    fitted.

    The share is k * window / N for a whole number of windows k = floor(N / (window + 1)). Several k may give a whole
    N; the training text's characters per token tell which.
    """
    result = published.result
    batches, split = result.config["batches"], result.corpus.split
    window = batches["batch_size"] * batches["block_size"]
    fraction = result.figures.val_scored_fraction
    if not fraction:
        return None
    estimate = published.certificate["training"]["train_tokens"] * split.validation_chars / split.train_chars
    fitting = []
    for k in range(1, round(2 * estimate / window) + 2):
        told = k * window / fraction
        if abs(told - round(told)) < 1e-6 * told / window and round(told) // (window + 1) == k:
            fitting.append(round(told))
    assert fitting, f"{result.name}: {fraction} is no share of windows of {window}"
    return min(fitting, key=lambda n: abs(n - estimate))


def windows(published: Published) -> list[Window]:
    """Return the example's rows for one result; none where the length of its validation stream is not known."""
    n_tokens, exact = n_validation_tokens(published), published.result.exact
    if n_tokens is None:
        return []
    rows = []
    for batch_size, block_size in GEOMETRIES:
        k = n_tokens // (batch_size * block_size + 1)
        fraction = k * batch_size * block_size / n_tokens
        rows.append(Window(batch_size, block_size, k, fraction, exact * fraction if k else None))
    return rows
