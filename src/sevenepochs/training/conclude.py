"""After the last step: the final figures, losses by title, the certificate, the weights, and last the summary."""

from __future__ import annotations

import hashlib
from dataclasses import asdict

import numpy as np

from sevenepochs.data.corpus.describe import empty_and_seen
from sevenepochs.data.corpus.fingerprint import fingerprint
from sevenepochs.experiment import Data, Experiment
from sevenepochs.model.gpt import n_parameters
from sevenepochs.model.scorer import TorchScorer
from sevenepochs.model.weights import reading_tensors
from sevenepochs.protocol.budget import joined_text
from sevenepochs.protocol.certificate import Facts, certificate
from sevenepochs.protocol.figures import Validation
from sevenepochs.protocol.scoring import exact_log_probs, title_losses
from sevenepochs.store.run import RunWriter, layout
from sevenepochs.training.final_figures import FinalFigures, causality_of, final_figures
from sevenepochs.training.hooks import Watcher
from sevenepochs.training.session import Session, State


def conclude(session: Session, state: State, writer: RunWriter, watcher: Watcher) -> None:
    """The figures in the run's precision and again in fp32, losses by title, certificate, weights, summary."""
    validation = session.data.validation
    final = final_fp32 = final_figures(session.experiment, session.data, session.scorer)
    if session.machine.precision == "fp32" and not session.machine.compiles_evaluations:
        scorer_fp32 = session.scorer
    else:
        watcher.message("final evaluation in fp32")
        scorer_fp32 = TorchScorer(session.model)
        final_fp32 = final_figures(session.experiment, session.data, scorer_fp32)
    writer.save_tensors(layout.TITLE_LOSSES, {**_losses(final_fp32, validation), **_stops(session)})
    violation = causality_of(session.experiment, session.data, scorer_fp32)
    facts = _facts(session, state.tokens_used, final_fp32, violation)
    writer.write_json(layout.CERTIFICATE, certificate(facts))
    writer.save_model(reading_tensors(session.model))
    writer.finish(
        {
            "figures": final_fp32.figures,
            "figures_run_precision": final.figures,
            "elapsed_seconds": state.seconds,
            "n_steps": session.n_steps,
            "parameters": n_parameters(session.model),
            "tokens_per_step": session.batches.targets_per_step,
        }
    )


def _losses(final: FinalFigures, validation: Validation) -> dict[str, np.ndarray]:
    """Nats by title under the recipe's rows, and under stock rows where those are others; log-probabilities."""
    losses = {"nats": title_losses(final.log_probs_N, validation.ids_N, validation.eos_id)}
    if final.stock_log_probs_N is not None:
        losses[layout.NATS_STOCK_ROWS] = title_losses(final.stock_log_probs_N, validation.ids_N, validation.eos_id)
    return {**losses, layout.LOG_PROBS: final.log_probs_N}


def _stops(session: Session) -> dict[str, np.ndarray]:
    """What a mixture with another tokenizer needs of each token (store/token_losses.py): stops and bytes."""
    tokenizer, validation = session.data.tokenizer, session.data.validation
    scorer, rows = TorchScorer(session.model, among_V=tokenizer.stops()), session.experiment.scoring_rows(session.data)
    return {
        layout.STOP_LOG_PROBS: exact_log_probs(scorer, validation.ids_N, validation.eos_id, rows),
        layout.N_BYTES: tokenizer.n_bytes()[validation.ids_N],
    }


def _rows_name(experiment: Experiment) -> str:
    return f"{type(experiment.batches).__name__} {experiment.batches.block_size}"


def _facts(session: Session, tokens_used: int, final: FinalFigures, violation_nats: float) -> Facts:
    data, experiment = session.data, session.experiment
    fidelity = data.tokenizer.fidelity(data.split.train + data.split.validation)
    return Facts(
        track="single",
        epochs=experiment.training.epochs,
        seed=experiment.training.seed,
        corpus={**data.corpus.source, "name": data.corpus.name},
        split={**fingerprint(data.split), **empty_and_seen(data.split)},
        train_tokens=len(data.train_ids),
        tokens_used=tokens_used,
        passes_per_token=experiment.objective.passes_per_token,
        parameters=n_parameters(session.model),
        tokenizer_sha256=data.tokenizer.sha256,
        tokenizer_trained_on=getattr(experiment.tokenizer, "trained_on", "unknown"),
        tokenizer_fidelity={**asdict(fidelity), "reversible": fidelity.reversible},
        **ids_and_fresh_encoding(data),
        rows="stock" if final.stock_log_probs_N is None else _rows_name(experiment),
        causality_violation_nats=violation_nats,
        environment=session.environment,
    )


def ids_and_fresh_encoding(data: Data) -> dict[str, str]:
    """Return the hashes of the ids that trainer and scorer were given, and of what they must be: the joined text of the
    titles, encoded afresh. The certificate compares them (`protocol.certificate.Facts`)."""
    train, validation = (
        np.asarray(data.tokenizer.encode(joined_text(titles)), dtype=np.int32)
        for titles in (data.split.train, data.split.validation)
    )
    return {
        "ids_sha256": _sha256(data.train_ids),
        "expected_ids_sha256": _sha256(train),
        "validation_ids_sha256": _sha256(data.validation.ids_N),
        "expected_validation_ids_sha256": _sha256(validation),
    }


def _sha256(ids: np.ndarray) -> str:
    return hashlib.sha256(ids.tobytes()).hexdigest()
