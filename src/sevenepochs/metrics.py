"""Name, unit and meaning of every metric. Whatever prints a number formats it here. Stdlib only."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class Metric:
    """A figure's label for people, its unit, one line of meaning, and its format.

    `spec_below`: a bound, and the format below it."""

    name: str
    label: str
    unit: str
    meaning: str
    spec: str = ".4f"
    spec_below: tuple[float, str] | None = None


_ALL = [
    Metric(
        "exact_val_loss", "exact", "nats/char", "every validation token scored once, over all characters; we rank by it"
    ),
    Metric("official_val_loss", "official 64x128", "nats/char", "the stock rule at the stock geometry 64x128"),
    Metric(
        "official_val_loss_own_geometry",
        "official own",
        "nats/char",
        "the stock rule at the recipe's own batch and block: what the challenge's log prints",
    ),
    Metric(
        "val_scored_fraction", "scored", "%", "share of validation tokens that the own-geometry figure scored", ".1%"
    ),
    Metric(
        "corrected_val_loss",
        "corrected",
        "nats/char",
        "an official figure made to count every token (audit)",
    ),
    Metric("ratio_to_stock", "of stock", "", "corrected loss over the stock program's on the same data (audit)", ".3f"),
    Metric("exact_val_bpc", "bits/char", "bits/char", "total bits over the characters of the titles alone"),
    Metric(
        "exact_val_loss_stock_rows",
        "exact, stock rows",
        "nats/char",
        "the exact loss with the stream cut into stock rows of 128, where the recipe's rows are others",
    ),
    Metric("val_loss_difference", "difference", "nats/char", "one recipe's exact loss minus another's", "+.4f"),
    Metric("val_loss_half_width", "+-", "nats/char", "half of a 95 % interval of a difference", ".4f"),
    Metric("val_loss_ratio", "ratio", "", "one recipe's exact loss over another's", ".4f"),
    Metric("ratio_to_pairs", "of token pairs", "", "a loss over that of token pairs on the same titles", ".3f"),
    Metric("loss_reduction", "below", "%", "how far a loss is below another, as a share of that one", ".0%"),
    Metric("seed_deviation", "sd over seeds", "nats/char", "standard deviation of the exact loss over seeds", ".5f"),
    Metric("floor_val_loss", "floor", "nats/char", "-ln p of the validation titles under the grammar that made them"),
    Metric(
        "excess_val_loss", "excess", "nats/char", "exact loss minus the floor: what a perfect model would still gain"
    ),
    Metric(
        "train_loss_nats_per_token",
        "train loss",
        "nats/token",
        "the training batch's objective, dropout on: mean cross-entropy, plus its divergence under R-Drop",
    ),
    Metric("grad_norm", "grad norm", "", "global L2 norm of the gradient before clipping", ".3f"),
    Metric("lr_multiplier", "lr x", "", "schedule's factor on every learning rate", ".4f"),
    Metric("tokens_per_second", "tokens/s", "tokens/s", "training targets per second", ",.0f"),
    Metric("step_seconds", "s a step", "s", "wall time of one training step, its batch at hand", "#.4g"),
    Metric("speed_ratio", "ours is faster by", "x", "another's seconds over ours, median over paired rounds", ".2f"),
    Metric("mfu", "MFU", "%", "a step's arithmetic over its time, as a share of the best square product's rate", ".1%"),
    Metric("product_tflops", "TFLOP/s", "TFLOP/s", "rate of a square matrix product", ".3g"),
    Metric("step_tflop", "TFLOP a step", "TFLOP", "6 per product parameter and token, attention unmasked", ".3g"),
    Metric("memory_mib", "memory", "MiB", "resident memory of one process, or what CUDA holds", ",.0f"),
    Metric("preparation_seconds", "time", "s", "reading titles, training a tokenizer, encoding", ".1f"),
    Metric("elapsed_seconds", "time", "s", "wall time in training and evaluation, resumes added up", ".1f"),
    Metric("elapsed_minutes", "time", "min", "the same in minutes", ",.0f", (9.5, ".1f")),
    Metric("probability", "probability", "%", "of one token under a model", ".2%"),
    Metric("share", "share", "%", "part of a whole", ".1%"),
    Metric("surprisal_bits", "surprisal", "bits", "-log2 of the probability that the truth was given", ".1f"),
    Metric("surprisal_nats", "surprise", "nats", "-ln of the probability that the truth was given", ".1f"),
    Metric("bits_per_token", "bits/token", "bits/token", "a mean over the tokens of the validation text", ".2f"),
    Metric("nats_per_token", "nats/token", "nats/token", "the same in nats, without dropout", ".2f"),
    Metric("gained_bits", "gained", "bits", "bits that a second run needs less for the same text", "+.1f"),
    Metric("title_loss", "loss", "nats/char", "one title's nats over its characters, its <eos> counted as 5", ".3f"),
    Metric(
        "calibration_error", "calibration error", "%", "mean distance of confidence and share right, by bins", ".2%"
    ),
    Metric("chars_per_token", "chars/token", "chars/token", "characters of the titles over their tokens", ".2f"),
    Metric("chars_per_title", "chars/title", "chars/title", "mean characters of a title, without its <eos>", ".1f"),
    Metric("cosine", "cosine", "", "of the angle between two embeddings", ".3f"),
    Metric("parameters", "parameters", "", "trainable parameters, tied weights once", ",d"),
    Metric("n_steps", "steps", "", "optimizer updates", ",d"),
]
METRICS: dict[str, Metric] = {metric.name: metric for metric in _ALL}


def format_metric(name: str, value: float | int | None, *, unit: bool = False) -> str:
    """Return the value as text for people; '-' for a figure that does not exist (no window fits, run missing).

    A positive share too small for its decimals is "< 0.01%".
    """
    metric = METRICS[name]
    if value is None:
        return "-"
    bound, fine_spec = metric.spec_below or (0.0, metric.spec)
    text = format(value, fine_spec if abs(value) < bound else metric.spec)
    if metric.unit == "%" and value > 0 and text == format(0.0, metric.spec):
        text = f"< {text.replace('0%', '1%')}"
    return f"{text} {metric.unit}" if unit and metric.unit and metric.unit != "%" else text
