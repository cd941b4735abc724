"""Simulated truth: train tiny models, audit the log without the run, and hold the verdict against the whole stream.

The reference is one run on the same titles with another tokenizer, as a user would have.
"""

import itertools
import math
import shutil
from dataclasses import dataclass

import numpy as np
import pytest

from sevenepochs.audit.log import read_log
from sevenepochs.audit.verdict import audit_log, read_reference
from sevenepochs.data.corpus.sample import SampleCorpus
from sevenepochs.learning.optim import SGD, AdamW
from sevenepochs.learning.schedule import Cosine, ScheduleConfig
from sevenepochs.model.scorer import TorchScorer
from sevenepochs.model.weights import load_model_tensors
from sevenepochs.protocol.rows import stock_rows
from sevenepochs.protocol.scoring import exact_log_probs, exact_val_loss, stock_windows
from sevenepochs.store.run import layout
from sevenepochs.training.trainer import run_training

N_TITLES = 1_500


@dataclass(frozen=True)
class WarmUp(ScheduleConfig):
    """The rate rises over the first fifth of the updates, as in the public AdamW recipes."""

    def multiplier(self, step, total):
        return min(1.0, step / (0.2 * total)) * Cosine().multiplier(step, total)


OPTIMIZERS = {
    "SGD": (SGD(lr=6e-3), Cosine()),
    "AdamW": (AdamW(lr=2e-3), Cosine()),
    "AdamW with warm-up": (AdamW(lr=2e-3), WarmUp()),
}


def _small(tiny, vocab_size, batch_size, block_size, optimizer):
    optimizer, schedule = OPTIMIZERS[optimizer]
    return tiny.replace_all(
        {
            "corpus": SampleCorpus(n_titles=N_TITLES),
            "tokenizer.vocab_size": vocab_size,
            "batches.batch_size": batch_size,
            "batches.block_size": block_size,
            "optimizer": optimizer,
            "schedule": schedule,
            "model.n_layer": 1,
            "training.epochs": 1,  # the windows are the same in every epoch; the audit says that it is one
        }
    )


@pytest.fixture(scope="module")
def reference(tiny, tmp_path_factory):
    experiment = _small(tiny, 400, 16, 64, "SGD")
    return read_reference(run_training(experiment, "reference", tmp_path_factory.mktemp("reference")).path)


def _check(tiny, tmp_path, reference, vocab_size, batch_size, block_size, optimizer):
    experiment = _small(tiny, vocab_size, batch_size, block_size, optimizer)
    run = run_training(experiment, "x", tmp_path / "runs")
    lone_log = tmp_path / "somebody.log"
    shutil.copy(run.path / layout.MAINRUN_LOG, lone_log)

    data = experiment.load_data()
    ids_N, validation = data.validation.ids_N, data.validation
    model = experiment.build_model(data.tokenizer.vocab_size, data.tokenizer.texts())
    load_model_tensors(model, run.load_model_tensors(), "model")
    rows = stock_rows(len(ids_N), block_size)
    truth = exact_val_loss(exact_log_probs(TorchScorer(model), ids_N, validation.eos_id, rows), validation.n_chars)
    n_windows = len(list(stock_windows(ids_N, batch_size, block_size)))

    (audit,) = audit_log(read_log(lone_log), reference)
    assert audit.coverage.windows == (n_windows,) * 3, audit.coverage
    assert audit.coverage.val_tokens.low <= len(ids_N) <= audit.coverage.val_tokens.high
    assert audit.coverage.agree, audit.coverage.why
    (alone,) = audit_log(read_log(lone_log))  # without a reference: wider, and never wrong
    assert alone.coverage.windows.low <= n_windows <= alone.coverage.windows.high
    assert np.isclose(audit.losses.last, run.summary["figures"]["official_val_loss_own_geometry"])
    return audit.corrected.low <= truth <= audit.corrected.high, alone.corrected, truth, audit


@pytest.mark.parametrize(
    ("vocab_size", "batch_size", "block_size", "optimizer"),
    [(300, 16, 64, "SGD"), (600, 8, 32, "AdamW"), (900, 16, 32, "AdamW with warm-up")],
)
def test_an_audit_finds_the_windows_and_the_full_loss(
    tiny, tmp_path, reference, vocab_size, batch_size, block_size, optimizer
):
    contains, alone, truth, audit = _check(tiny, tmp_path, reference, vocab_size, batch_size, block_size, optimizer)
    assert contains, (audit.corrected, truth)
    assert alone is None or alone.low <= truth <= alone.high
    assert math.isclose(audit.corrected.value, truth, rel_tol=0.03)


@pytest.mark.long
def test_twenty_geometries(tiny, tmp_path, reference):
    geometries = [(8, 32), (16, 32), (16, 64), (32, 32), (8, 64), (4, 128), (32, 64)]
    cases = list(itertools.product([300, 500, 900], geometries))[:20]
    hits = []
    for i, (vocab_size, (batch_size, block_size)) in enumerate(cases):
        optimizer = list(OPTIMIZERS)[i % 3]
        folder = tmp_path / str(i)
        folder.mkdir()
        hits.append(_check(tiny, folder, reference, vocab_size, batch_size, block_size, optimizer)[0])
    assert len(hits) == 20 and sum(hits) >= 19
