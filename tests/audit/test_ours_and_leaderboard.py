"""Our own runs, references, folders of everything, and the ranking."""

import json
import shutil
from dataclasses import replace

import pytest

from sevenepochs.audit.finding import Finding, Interval
from sevenepochs.audit.log import read_log
from sevenepochs.audit.report import boards_as_dicts, boards_as_text, leaderboard
from sevenepochs.audit.target import audit_target
from sevenepochs.audit.verdict import audit_log, read_reference
from sevenepochs.data.batches.title_rows import TitleRows
from sevenepochs.errors import UserError
from sevenepochs.store.publishing import publish
from sevenepochs.store.run import layout
from sevenepochs.training.trainer import run_training


def only(path, reference=None):
    (audit,) = audit_target(path, reference).runs
    return audit


def test_a_run_folder_is_exact(finished_run):
    audit = only(finished_run.path)
    figures = finished_run.summary["figures"]
    assert audit.is_exact and audit.corrected == Interval.exact(figures["exact_val_loss"])
    assert audit.losses.last == figures["official_val_loss_own_geometry"]
    assert audit.coverage.fraction.value == pytest.approx(figures["val_scored_fraction"])
    assert audit.track == "single" and not audit.marks
    assert audit.dataset.name.startswith("sample-100 ")


def test_a_run_with_padding_trained_on_what_its_certificate_says(tiny, tmp_path):
    """Its log has steps and whole rows: more than seven epochs' worth, and another number of batches."""
    run = run_training(tiny.replace("batches", TitleRows(batch_size=2, block_size=32)), "x", tmp_path)
    audit = only(run.path)
    assert audit.epochs_trained == 7 and audit.tokens_trained == run.certificate["training"]["tokens_used"]
    assert audit.n_steps * 2 * 32 > audit.token_budget
    (run.path / layout.SUMMARY).unlink()
    for one in (audit, only(run.path)):  # complete, and judged by its log
        assert not {"batch-mismatch", "token-budget"} & {finding.rule for finding in one.findings}


def test_its_result_says_the_same(finished_run, tmp_path):
    run, result = only(finished_run.path), only(publish(finished_run, tmp_path))
    for field in ("corrected", "track", "marks", "is_exact"):
        assert getattr(run, field) == getattr(result, field), field
    assert (run.losses.last, run.dataset.name) == (result.losses.last, result.dataset.name)
    assert only(tmp_path).corrected == run.corrected  # results/ itself


def test_one_result_in_a_repository_hides_neither_its_source_nor_its_logs(finished_run, logs, tmp_path):
    repository = tmp_path / "repository"
    repository.mkdir()
    publish(finished_run, repository)
    logs.write(logs.events(), "repository/mainrun.log")
    (repository / "train.py").write_text("print('no program')\n")
    (repository / "broken").mkdir()
    (repository / "broken" / "run.json").write_text("{}")
    audit = audit_target(repository)
    assert len(audit.runs) == 2 and audit.source is not None
    assert [name.rpartition("/")[2] for name in audit.unread] == ["broken"]


def test_an_incomplete_run_is_audited_by_its_log(finished_run, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(finished_run.path, folder)
    (folder / layout.SUMMARY).unlink()
    audit = only(folder)
    assert not audit.is_exact and audit.dataset.name == only(finished_run.path).dataset.name
    with pytest.raises(UserError, match="complete"):
        read_reference(folder)


def test_our_run_as_a_reference_gives_the_windows(finished_run, tmp_path):
    log = tmp_path / "copy.log"
    shutil.copy(finished_run.path / layout.MAINRUN_LOG, log)
    audit = only(log, read_reference(finished_run.path))
    assert audit.coverage.val_tokens.low == audit.coverage.val_tokens.high
    fraction = finished_run.summary["figures"]["val_scored_fraction"]
    assert audit.coverage.fraction.value == pytest.approx(fraction)


@pytest.mark.parametrize(
    "name",
    [
        *(layout.CORPUS, layout.CERTIFICATE, layout.SUMMARY, layout.MAINRUN_LOG, layout.RUN),
        *(layout.CONFIG, layout.ENVIRONMENT),
    ],
)
@pytest.mark.parametrize("content", ["", "{", "[]", "null", '{"figures": 3}', '{"split": 4, "schema_version": 1}'])
def test_a_damaged_run_folder_is_one_line(finished_run, tmp_path, name, content):
    folder = tmp_path / "run"
    shutil.copytree(finished_run.path, folder)
    (folder / name).write_text(content)
    try:
        audit_target(folder)
    except UserError as error:
        assert "\n" not in str(error)


# ---- ranking ----


@pytest.fixture
def entry(logs):
    """An audit whose figures are then set by hand."""
    (base,) = audit_log(read_log(logs.write(logs.events())))

    def make(name, low, high, **changes):
        if "dataset" in changes:
            changes["dataset"] = replace(base.dataset, name=changes["dataset"])
        return replace(base, name=name, corrected=Interval((low + high) / 2, low, high), **changes)

    return make


def ranks(board):
    return {entry.audit.name: entry.rank_text for entry in board.entries}


def test_overlapping_intervals_share_a_rank(entry):
    (board,) = leaderboard([entry("b", 1.19, 1.22), entry("a", 1.18, 1.20), entry("c", 1.30, 1.31)])
    assert ranks(board) == {"a": "1=", "b": "1=", "c": "3"}
    assert [e.audit.name for e in board.entries] == ["a", "b", "c"]


def test_equal_exact_losses_are_a_tie(entry):
    (board,) = leaderboard([entry("a", 1.2, 1.2), entry("b", 1.2, 1.2), entry("c", 1.2001, 1.2001)])
    assert ranks(board) == {"a": "1=", "b": "1=", "c": "3"}


def test_never_across_versions_or_tracks(entry):
    audits = [
        entry("old", 1.2, 1.2),
        entry("new", 1.1, 1.1, dataset="2026"),
        entry("many", 1.0, 1.0, track="ensemble"),
        entry("nowhere", 0.9, 0.9, dataset=None),
    ]
    boards = leaderboard(audits)
    assert [(b.dataset, b.track, ranks(b)) for b in boards] == [
        ("2023", "single", {"old": "1"}),
        ("2023", "ensemble", {"many": "1"}),
        ("2026", "single", {"new": "1"}),
        (None, "single", {"nowhere": "-"}),
    ]
    text = boards_as_text(boards)
    assert "nothing is ranked" in text and json.dumps(boards_as_dicts(boards), allow_nan=False)


def test_lossy_rule_breaking_and_unfinished_entries_do_not_compete(entry):
    lossy = Finding("error", "lossy-tokenizer", "lower-cased", "train.py:7", None, "certain")
    unfinished = Finding("warning", "unfinished", "ends at step 3", None, None, "certain")
    audits = [
        entry("lossy", 1.0, 1.0, findings=(lossy,)),
        entry("unfinished", 1.1, 1.1, findings=(unfinished,)),
        entry("honest", 1.2, 1.2),
    ]
    (board,) = leaderboard(audits)
    assert ranks(board) == {"lossy": "-", "unfinished": "-", "honest": "1"}
    assert "lossy-tokenizer" in boards_as_text([board])


def test_an_entry_without_a_number_comes_last(entry):
    void = replace(entry("void", 1, 1), corrected=None)
    (board,) = leaderboard([void, entry("a", 1.2, 1.2)])
    assert list(ranks(board).items()) == [("a", "1"), ("void", "-")]
    assert boards_as_text([board])


def test_logs_results_and_runs_together(logs, finished_run, tmp_path):
    published = publish(finished_run, tmp_path / "results")
    runs = [*audit_target(published).runs, *audit_target(logs.write(logs.events())).runs]
    boards = leaderboard(runs)
    assert [board.dataset for board in boards] == ["2023", only(finished_run.path).dataset.name]
