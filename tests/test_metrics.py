"""Numbers are shown with their units, and missing ones as missing."""

from sevenepochs.metrics import METRICS, format_metric


def test_formats() -> None:
    assert format_metric("exact_val_loss", 1.23456, unit=True) == "1.2346 nats/char"
    assert format_metric("val_scored_fraction", 0.9591, unit=True) == "95.9%"
    assert format_metric("official_val_loss", None) == "-"
    assert format_metric("parameters", 27172864) == "27,172,864"


def test_a_share_that_is_not_nothing_does_not_read_as_nothing() -> None:
    assert format_metric("probability", 0.131) == "13.10%" and format_metric("probability", 0.0) == "0.00%"
    assert format_metric("probability", 2e-5) == "< 0.01%" and format_metric("share", 4e-4) == "< 0.1%"


def test_training_and_validation_losses_have_different_units() -> None:
    assert METRICS["train_loss_nats_per_token"].unit == "nats/token"
    assert {m.unit for m in METRICS.values() if m.name.endswith("val_loss")} == {"nats/char"}
