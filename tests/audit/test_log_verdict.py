"""What a log's number is worth: windows, dataset, corrected loss, findings."""

import math
from pathlib import Path

import pytest

from sevenepochs.audit.datasets import KNOWN_DATASETS
from sevenepochs.audit.finding import Interval
from sevenepochs.audit.log import read_log
from sevenepochs.audit.report import as_text
from sevenepochs.audit.target import audit_target
from sevenepochs.audit.verdict import audit_log, read_reference
from sevenepochs.audit.windows import tail_uncertainty
from sevenepochs.errors import UserError


def rules(audit):
    return {finding.rule for finding in audit.findings}


# ---- known data ----


@pytest.mark.parametrize(
    ("name", "tokens", "chars", "val_tokens", "printed", "windows", "expected"),
    [
        ("2023", 1_102_455, 533_000, 121_380, 1.7533, 14, 1.855),
        ("2026", 1_168_720, 562_970, 129_611, 1.7518, 15, 1.848),
        ("stand-in", 1_155_158, 557_661, 128_103, 1.7461, 15, 1.820),
    ],
)
def test_the_stock_runs(audit_events, name, tokens, chars, val_tokens, printed, windows, expected):
    audit = audit_events(tokens_per_epoch=tokens, val_chars=chars, val_tokens=val_tokens, final_loss=printed)
    assert (audit.dataset.name, audit.dataset.confidence) == (name, "certain")
    assert audit.coverage.windows == (windows,) * 3 and audit.coverage.agree is True
    assert audit.corrected.value == pytest.approx(expected, abs=0.001)
    assert audit.corrected.low < expected < audit.corrected.high < audit.corrected.low * 1.01
    assert audit.ratio_to_stock.value == pytest.approx(1, abs=1e-4)
    assert not audit.marks
    known = next(known for known in KNOWN_DATASETS if known.name == name)
    assert known.stock_corrected == pytest.approx(expected, abs=0.001)


@pytest.mark.parametrize(
    ("batch_size", "block_size", "printed", "corrected"),
    [(256, 256, 0.944, 1.748), (256, 128, 1.0670, 1.317), (64, 64, 1.269, 1.297)],
)
def test_public_reports_with_other_windows(audit_events, batch_size, block_size, printed, corrected):
    """The reports of tedasdf, v-wangg and yordanoswuletaw, with the corrections that were worked out by hand."""
    audit = audit_events(batch_size=batch_size, block_size=block_size, final_loss=printed)
    assert audit.corrected.value == pytest.approx(corrected, abs=0.004)
    assert {"tail-drop", "window-size"} <= rules(audit)


def test_adamw_without_warm_up_does_not_cost_a_window(audit_events):
    """The textbook quotient says 13 where 14 is true (a public run); the training loss of step 2 says 14."""
    audit = audit_events(fall=0.07, final_loss=1.3)
    assert audit.coverage.windows == (14, 14, 14) and audit.coverage.agree is True
    assert audit.coverage.by_step_1 == pytest.approx(13.0, abs=0.1)
    assert audit.coverage.by_first_step.value == pytest.approx(14, abs=0.05)
    assert "too small" in audit.coverage.why


def test_where_the_estimates_disagree_the_tokens_count_and_the_reason_is_given(logs, audit_events):
    events = logs.events()
    for event in events:
        if event["event"] == "validation_step" and event["step"] == 1:
            event["loss"] *= 11 / 14  # as if eleven windows had been scored
    audit = audit_events(events)
    assert audit.coverage.windows == (14, 14, 14) and audit.coverage.agree is False
    assert "window-estimates-disagree" in rules(audit) and "inserted into validation" in audit.coverage.why


def test_a_training_loss_with_other_terms_is_no_measure(audit_events):
    """R-Drop's divergence makes the first training loss larger, so the quotient would lose a window."""
    audit = audit_events(rdrop=2.0, val_chars=570_000)
    assert audit.coverage.windows == (14, 14, 14) and audit.coverage.agree is None
    assert "rdrop 2.0" in audit.coverage.why and "window-estimates-disagree" not in rules(audit)
    assert audit_events(rdrop=0.0).coverage.agree


def test_without_step_2_the_first_evaluation_is_not_trusted(logs, audit_events):
    events = [e for e in logs.events() if not (e["event"] == "training_step" and e["step"] == 2)]
    audit = audit_events(events)
    assert audit.coverage.windows == (14, 14, 14) and "step 2" in audit.coverage.why


def test_the_first_evaluation_chooses_where_the_tokens_cannot(audit_events):
    """Another tokenizer on the 2023 data whose validation tokens lie at a boundary: 14 or 15 windows."""
    tokens = round(15 * 8193 / 0.1101)
    for val_tokens, windows in ((15 * 8193 - 150, 14), (15 * 8193 + 150, 15)):
        audit = audit_events(tokens_per_epoch=tokens, val_tokens=val_tokens, vocab_size=15_000)
        assert (audit.dataset.name, audit.dataset.confidence) == ("2023", "likely")
        assert audit.coverage.windows == (windows,) * 3 and "chooses" in audit.coverage.why
        truth = val_tokens / (windows * 8192) * audit.losses.last
        assert audit.corrected.low < truth < audit.corrected.high


def test_at_a_boundary_with_nothing_to_choose_by_both_stay(logs, audit_events):
    tokens = round(15 * 8193 / 0.1101)
    events = logs.events(tokens_per_epoch=tokens, val_tokens=15 * 8193 + 50, vocab_size=15_000, num_titles=100_000)
    without = [e for e in events if not (e["event"] == "validation_step" and e["step"] == 1)]
    audit = audit_events(without)
    assert audit.dataset.name is None  # nothing to tell the version by either
    assert audit.coverage.windows.low <= 14 and audit.coverage.windows.high >= 15
    for windows in (14, 15):
        multiplier = (15 * 8193 + (50 if windows == 15 else -1)) / (windows * 8192)
        assert audit.coverage.multiplier.low <= multiplier <= audit.coverage.multiplier.high


def test_no_window_fits(audit_events):
    audit = audit_events(batch_size=512, block_size=256, final_loss=0.0)
    assert "no-window" in audit.marks and audit.corrected is None


# ---- unknown data ----


def test_an_old_log_with_another_tokenizer_is_2023(audit_events):
    audit = audit_events(tokens_per_epoch=1_014_500, val_tokens=111_700, vocab_size=32_000)
    assert (audit.dataset.name, audit.dataset.confidence) == ("2023", "likely")
    assert audit.coverage.windows == (13, 13, 13)


def test_a_new_log_that_fits_two_versions_stays_unknown(audit_events):
    """Validation of 2026 and of the stand-in has 1 % more and fewer characters: too close to tell."""
    audit = audit_events(
        tokens_per_epoch=1_080_000,
        val_tokens=119_770,
        val_chars=560_000,
        vocab_size=24_000,
        timestamp=1.79e9,
        fall=0.02,
    )
    assert audit.dataset.name is None and "2026" in audit.dataset.how
    assert audit.ratio_to_stock is None
    assert "dataset-unknown" in rules(audit) and audit.corrected is not None


def test_other_titles_are_never_taken_for_a_version(audit_events):
    audit = audit_events(tokens_per_epoch=1_014_500, val_tokens=111_700, num_titles=90_000)
    assert audit.dataset.name is None and "titles" in audit.marks


@pytest.mark.parametrize("missing", ["hyperparameters_configured", "dataset_info", "model_info", "device_info"])
def test_missing_header_events(logs, audit_events, missing):
    audit = audit_events([e for e in logs.events() if e["event"] != missing])
    if missing == "dataset_info":
        assert audit.corrected is None and "tokens" in audit.coverage.why
    else:
        assert audit.coverage.windows == (14, 14, 14)
    if missing == "hyperparameters_configured":
        assert audit.geometry.is_inferred


def test_without_geometry_the_first_evaluation_gives_the_fraction(logs, audit_events):
    events = logs.events()
    del events[0]["batch_size"]
    del events[2]["batches_per_epoch"]
    audit = audit_events(events)
    assert audit.coverage.windows is None
    assert audit.coverage.fraction.low < 0.945 < audit.coverage.fraction.high
    assert audit.corrected.low < 1.8556 < audit.corrected.high


def test_a_log_that_gives_validation_tokens_needs_no_estimate(audit_events, logs):
    events = logs.events(tokens_per_epoch=990_000, val_tokens=110_000)
    events[2]["val_tokens"] = 110_000
    audit = audit_events(events)
    assert audit.coverage.val_tokens == Interval.exact(110_000)


# ---- reference ----


def test_a_reference_log_teaches_the_tokens_and_characters(logs):
    unknown = {"tokens_per_epoch": 900_000, "val_tokens": 99_000, "val_chars": 600_000, "num_titles": 80_000}
    exact = logs.events(**unknown)
    exact[2]["val_tokens"], exact[2]["val_chars"] = 99_000, 600_000
    reference = read_reference(logs.write(exact, "reference.log"))
    # 32.2 windows; the ratio of the titles alone allows 32.1 to 33.0
    (audit,) = audit_log(read_log(logs.write(logs.events(batch_size=24, **unknown))), reference)
    assert audit.coverage.windows == (32, 32, 32) and audit.coverage.agree is True
    assert audit.dataset.confidence == "likely" and "reference" in audit.dataset.how
    (alone,) = audit_log(read_log(logs.write(logs.events(batch_size=24, **unknown))))
    assert (alone.coverage.windows.low, alone.coverage.windows.high) == (32, 33)


def test_a_reference_without_tokens_is_refused(logs):
    events = [e for e in logs.events() if e["event"] != "dataset_info"]
    with pytest.raises(UserError, match="tokens_per_epoch"):
        read_reference(logs.write(events))


# ---- the interval ----


def test_the_multiplier_spans_every_token_count_in_the_range():
    from sevenepochs.audit.windows import multiplier_of

    for low, high, span in [(1000, 1020, 101), (950, 1300, 101), (205, 205, 101), (101, 400, 101), (1010, 1110, 101)]:
        found = multiplier_of(Interval((low + high) // 2, low, high), span)
        all_of_them = [n / (n // span * (span - 1)) for n in range(low, high + 1)]
        assert found.low == pytest.approx(min(all_of_them), rel=1e-9)
        assert found.high == pytest.approx(max(all_of_them), rel=1e-9)
        assert found.low <= found.value <= found.high


def test_the_tail_adds_uncertainty_with_its_size():
    assert tail_uncertainty(1.0, 10_000) == 0
    widths = [tail_uncertainty(fraction, 10_000) for fraction in (0.99, 0.95, 0.54)]
    assert widths == sorted(widths) and widths[1] == pytest.approx(0.0013, abs=0.0003)


# ---- findings ----

CHANGES = {
    "epochs": ({"epochs": 10}, "epochs"),
    "seed": ({"seed": 7}, "seed"),
    "titles": ({"num_titles": 50_000}, "titles"),
    "validation fraction": ({"val_frac": 0.05}, "validation-fraction"),
    "vocabulary of three": ({"vocab_size": 3}, "vocabulary"),
    "too many steps": ({"n_steps": 1000}, "token-budget"),
    "implausible": ({"final_loss": 0.6}, "implausibly-low"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_broken_rules_are_found(audit_events, name):
    figures, rule = CHANGES[name]
    assert rule not in rules(audit_events())
    assert rule in rules(audit_events(**figures))


def test_the_best_quoted_as_the_final(logs, audit_events):
    events = logs.events()
    [e for e in events if e["event"] == "validation_step"][-2]["loss"] = 1.70
    audit = audit_events(events)
    assert (audit.losses.best, audit.losses.best_step, audit.losses.last) == (1.70, 40, 1.7533)
    finding = next(f for f in audit.findings if f.rule == "best-not-last")
    assert "1.7000" in finding.message and "0.0533" in finding.effect
    assert audit.corrected.value == pytest.approx(1.855, abs=0.001)  # of the last


def test_spikes_gaps_and_non_finite_losses(logs, audit_events):
    events = [e for e in logs.events() if not (e["event"] == "training_step" and e["step"] in (50, 51))]
    steps = {e["step"]: e for e in events if e["event"] == "training_step"}
    steps[40]["loss"] = 15.0
    steps[45]["loss"] = math.nan
    steps[46]["loss"] = "inf"
    audit = audit_events(events)
    assert {"spikes", "missing-steps", "not-finite"} <= rules(audit)
    messages = " ".join(f.message for f in audit.findings)
    assert "step 40" in messages and "2 of 60 steps" in messages and "step 45" in messages


def test_a_validation_loss_that_is_not_finite(logs, audit_events):
    events = logs.events()
    events[-1]["loss"] = math.nan
    audit = audit_events(events)
    assert "not-finite" in audit.marks and audit.losses.last_step == 40


def test_accumulated_batches(logs, audit_events):
    events = logs.events()
    events[2]["batches_per_epoch"] = 33
    assert "batch-mismatch" in rules(audit_events(events))


def test_only_headers(logs, audit_events):
    audit = audit_events(logs.events()[:4])
    assert "no-evaluation" in rules(audit) and audit.corrected is None


# ---- what the settings in a log give away, as met in public logs ----


def test_a_training_batch_of_its_own_is_within_the_budget(audit_events):
    audit = audit_events(train_batch_size=32, n_steps=1_880)
    assert audit.coverage.windows == (14, 14, 14)  # of the evaluation's batch
    assert "token-budget" not in rules(audit) and audit.tokens_trained == 1_880 * 32 * 128


@pytest.mark.parametrize(
    "settings",
    [{"normalizer": "lowercase"}, {"normalizer": "NFKC"}, {"pre_tokenizer": "whitespace"}, {"do_lower_case": True}],
)
def test_a_lossy_tokenizer_named_in_the_settings_is_marked(audit_events, settings):
    assert "lossy-tokenizer" in audit_events(**settings).marks


def test_other_settings_of_a_tokenizer_are_not(audit_events):
    settings = {"normalizer": "none", "pre_tokenizer": "bytelevel", "norm_type": "layernorm", "do_lower_case": False}
    assert audit_events(**settings).marks == ()


def test_the_trained_vocabulary_counts_not_the_one_asked_for(logs, audit_events):
    events = logs.events()
    events[2]["vocab_size"] = 3  # a filter that let no title through
    audit = audit_events(events)
    assert audit.geometry.vocab_size == 3 and "vocabulary" in audit.marks


def test_more_tokens_than_characters_are_not_the_titles(audit_events):
    assert "training-text-changed" in audit_events(tokens_per_epoch=9_153_836).marks


def test_the_readmes_example_is_what_is_printed(logs):
    """Its log: 7 epochs of 16 steps on the 2023 titles at 256 x 256, the last loss 0.944."""
    events = [e for e in logs.events(batch_size=256, block_size=256) if "step" not in e["event"]]
    events.append({"event": "training_step", "step": 112, "max_steps": 112, "loss": 5.0})
    events.append({"event": "validation_step", "step": 112, "max_steps": 112, "loss": 0.944})
    printed = as_text([audit_target(logs.write(events))])
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    example = readme[readme.index("  reported   ") : readme.index("```", readme.index("  reported   "))].splitlines()
    assert len(example) == 4
    for line in example:
        assert line.removesuffix(", ...") in printed


def test_a_log_that_shrinks_its_validation_split_is_not_believed(logs, audit_events) -> None:
    honest = {
        "tokens_per_epoch": 1_168_720,
        "val_tokens": 129_611,
        "final_loss": 0.7,
        "batch_size": 256,
        "block_size": 256,
    }
    events = logs.events(**honest)
    said = [dict(event) for event in events]
    said[2]["val_tokens"] = 65_537  # one window of 256 x 256 would be all of it
    plain, lied = audit_events(events=events), audit_events(events=said)
    assert "validation-size" in [f.rule for f in lied.findings if f.severity == "error"]
    assert lied.corrected == plain.corrected and lied.corrected.value > 1.05 * 0.7


def test_steps_that_only_evaluations_show_count(logs, audit_events) -> None:
    events = logs.events(tokens_per_epoch=1_168_720)
    events.append({**events[-1], "step": 5_000, "loss": 1.0})
    rules = [f.rule for f in audit_events(events=events).findings if f.severity == "error"]
    assert "too-many-steps" in rules and "token-budget" in rules


def test_the_split_is_compared_with_what_was_trained_on(logs, audit_events) -> None:
    events = logs.events(tokens_per_epoch=1_168_720, num_titles=100_000)
    rules = {f.rule for f in audit_events(events=events).findings}
    events[2]["titles_count"] = 99_000
    assert "split" not in rules and "split" in {f.rule for f in audit_events(events=events).findings}


def test_a_first_evaluation_that_tells_nothing_gives_no_share_without_geometry(logs, audit_events) -> None:
    events = logs.events(tokens_per_epoch=1_168_720, rdrop=1.0)
    for event in events[:3]:
        for name in ("batch_size", "block_size", "batches_per_epoch"):
            event.pop(name, None)
    audit = audit_events(events=events)
    assert audit.coverage.fraction is None and audit.corrected is None
