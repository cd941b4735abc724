"""The tail-drop example: what the stock rule would score, and so print, for one and the same model at other window
sizes. Computed from a result's figures; no model is run. No torch."""

from __future__ import annotations

from sevenepochs.metrics import format_metric
from sevenepochs.recipes.configs import called
from sevenepochs.report.inputs import Published
from sevenepochs.report.story import Story
from sevenepochs.report.tables import table

GEOMETRIES = ((64, 128), (32, 128), (16, 256), (64, 256), (128, 256), (256, 256))  # stock's first


def tail_drop(story: Story) -> dict[str, str] | None:
    """Return the example as text, told of the best run (or any), with a `table` of one row per window size; None where
    no window of the run's own fitted."""
    published = story.example
    figures, n_tokens = published.result.figures, n_validation_tokens(published)
    if n_tokens is None:
        return None
    rows = []
    for batch_size, block_size in GEOMETRIES:
        n_windows = n_tokens // (batch_size * block_size + 1)
        fraction = n_windows * batch_size * block_size / n_tokens
        # about what is printed: the dropped tail may be harder or easier than the rest
        printed = format_metric("official_val_loss", figures.exact_val_loss * fraction)
        scored = format_metric("val_scored_fraction", fraction)
        told = printed if n_windows else "0 (nothing scored)"
        rows.append([f"{batch_size} x {block_size}", f"{n_windows:,}", scored, told])
    official = figures.official_val_loss
    return {
        "recipe": called(published.result),
        "exact": format_metric("exact_val_loss", figures.exact_val_loss, unit=True),
        "n_tokens": f"{n_tokens:,}",
        "stock_windows": rows[0][1],
        "stock_fraction": rows[0][2],
        "official": "" if official is None else format_metric("official_val_loss", official, unit=True),
        "table": table(["batch x block", "whole windows", "tokens scored", "would print, nats/char"], rows),
    }


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
