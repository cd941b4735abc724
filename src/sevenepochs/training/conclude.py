"""The figures of a finished model, and the end of a run: figures, losses by title, certificate, weights, summary."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from typing import NamedTuple

import numpy as np

from sevenepochs.data.corpus.base import add_floor
from sevenepochs.data.corpus.describe import empty_and_seen
from sevenepochs.data.corpus.fingerprint import fingerprint
from sevenepochs.experiment import Data, Experiment
from sevenepochs.model.gpt import n_parameters
from sevenepochs.model.scorer import TorchScorer
from sevenepochs.model.skip import InputDropout
from sevenepochs.model.weights import reading_tensors
from sevenepochs.protocol.budget import joined_text
from sevenepochs.protocol.certificate import Facts, certificate
from sevenepochs.protocol.figures import all_figures
from sevenepochs.protocol.rows import stock_rows
from sevenepochs.protocol.scoring import Scorer, causality_violation, exact_log_probs, exact_val_loss, title_losses
from sevenepochs.store.run import RunWriter, layout
from sevenepochs.training.hooks import Watcher
from sevenepochs.training.session import Session, State

_CAUSALITY_TOKENS = 64 * 128  # one batch of rows


class FinalFigures(NamedTuple):
    """Figures by name (losses in nats per character), and the log-probabilities (N,) behind the exact loss under the
    recipe's rows and under stock rows; the latter None where they are the same."""

    figures: dict[str, float | None]
    log_probs_N: np.ndarray
    stock_log_probs_N: np.ndarray | None


def final_figures(experiment: Experiment, data: Data, scorer: Scorer) -> FinalFigures:
    """Return all figures of a finished model: the protocol's five, and more where they exist.

    `exact_val_loss_stock_rows` exists where the recipe's rows are others, to tell a gain from rows alone; floor and
    excess exist where the corpus's distribution is known.
    """
    validation, batches = data.scored, experiment.batches
    rows = experiment.scoring_rows(data)
    figures, log_probs_N = all_figures(scorer, validation, rows, batches.batch_size, batches.block_size)
    stock_N, stock = None, stock_rows(len(validation.ids_N))
    if not all(map(np.array_equal, rows, stock)):
        stock_N = exact_log_probs(scorer, validation.ids_N, validation.eos_id, stock)
        figures["exact_val_loss_stock_rows"] = exact_val_loss(stock_N, validation.n_chars)
    add_floor(figures, data.floor())
    return FinalFigures(figures, log_probs_N, stock_N)


def causality_of(experiment: Experiment, data: Data, scorer: Scorer) -> float:
    """Return `scoring.causality_violation`, nats, on the first validation tokens in the recipe's rows."""
    ids_N, told_N = (one.ids_N[:_CAUSALITY_TOKENS] for one in (data.validation, data.scored))
    rows = experiment.batches.scoring_rows(ids_N, data.validation.eos_id)
    return causality_violation(scorer, told_N, data.scored.eos_id, rows)


def conclude(session: Session, state: State, writer: RunWriter, watcher: Watcher) -> None:
    """Write figures in the run's precision and in fp32, losses by title, certificate, weights, and last the summary."""
    final = final_fp32 = final_figures(session.experiment, session.data, session.scorer)
    if session.machine.precision == "fp32" and not session.machine.compiles_evaluations:
        scorer_fp32 = session.scorer
    else:
        watcher.message("final evaluation in fp32")
        scorer_fp32 = TorchScorer(session.model)
        final_fp32 = final_figures(session.experiment, session.data, scorer_fp32)
    writer.save_tensors(layout.TITLE_LOSSES, {**_losses(session, final_fp32), **_stops(session)})
    violation = causality_of(session.experiment, session.data, scorer_fp32)
    writer.write_json(layout.CERTIFICATE, certificate(_facts(session, state, final_fp32, violation)))
    writer.save_model(reading_tensors(session.model))
    writer.finish(
        {
            "figures": final_fp32.figures,
            "figures_run_precision": final.figures,
            "elapsed_seconds": state.seconds,
            "n_steps": session.n_steps,
            "parameters": n_parameters(session.model),
            "tokens_per_step": session.batches.targets_per_step,
            "training_flop": session.experiment.step_flop(session.model) * session.n_steps,
        }
    )


def _losses(session: Session, final: FinalFigures) -> dict[str, np.ndarray]:
    """Nats by title under the recipe's rows, and under stock rows where those are others; log-probabilities."""
    ids_N, eos_id = session.data.validation.ids_N, session.data.validation.eos_id
    losses = {"nats": title_losses(final.log_probs_N, ids_N, eos_id), layout.LOG_PROBS: final.log_probs_N}
    if final.stock_log_probs_N is not None:
        losses[layout.NATS_STOCK_ROWS] = title_losses(final.stock_log_probs_N, ids_N, eos_id)
    return losses


def _stops(session: Session) -> dict[str, np.ndarray]:
    """Stops and bytes of each token, which a mixture with another tokenizer needs (store/token_losses.py)."""
    tokenizer, scored = session.data.tokenizer, session.data.scored
    scorer, rows = TorchScorer(session.model, among_V=tokenizer.stops()), session.rows
    return {
        layout.STOP_LOG_PROBS: exact_log_probs(scorer, scored.ids_N, scored.eos_id, rows),
        layout.N_BYTES: tokenizer.n_bytes()[session.data.validation.ids_N],
    }


def _facts(session: Session, state: State, final: FinalFigures, violation_nats: float) -> Facts:
    data, experiment = session.data, session.experiment
    fidelity = data.tokenizer.fidelity(data.split.train + data.split.validation)
    rows = f"{type(experiment.batches).__name__} {experiment.batches.block_size}"
    return Facts(
        track="single" if data.facts is None else "context",
        epochs=experiment.training.epochs,
        seed=experiment.training.seed,
        corpus={**data.corpus.source, "name": data.corpus.name},
        split={**fingerprint(data.split), **empty_and_seen(data.split)},
        train_tokens=len(data.train_ids),
        tokens_used=state.tokens_used,
        passes_per_token=experiment.passes_per_token,
        parameters=n_parameters(session.model),
        tokenizer_sha256=data.tokenizer.sha256,
        tokenizer_trained_on=getattr(experiment.tokenizer, "trained_on", "unknown"),
        tokenizer_fidelity={**asdict(fidelity), "reversible": fidelity.reversible},
        ids_sha256=_sha256(data.train_ids),
        expected_ids_sha256=_fresh_sha256(data, data.split.train),
        validation_ids_sha256=_sha256(data.validation.ids_N),
        expected_validation_ids_sha256=_fresh_sha256(data, data.split.validation),
        rows="stock" if final.stock_log_probs_N is None else rows,
        causality_violation_nats=violation_nats,
        environment=session.environment,
        input_dropout=skip.rate if isinstance(skip := experiment.model.skip, InputDropout) else 0.0,
        facts=None if data.facts is None else {"columns": list(data.facts.table.columns), "sha256": data.facts.sha256},
    )


def _fresh_sha256(data: Data, titles: Sequence[str]) -> str:
    """Hash of the ids that trainer or scorer must have been given: the titles' joined text, encoded afresh."""
    return _sha256(np.asarray(data.tokenizer.encode(joined_text(titles)), dtype=np.int32))


def _sha256(ids: np.ndarray) -> str:
    return hashlib.sha256(ids.tobytes()).hexdigest()
