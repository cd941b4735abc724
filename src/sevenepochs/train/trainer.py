"""The loop: steps, evaluations, checkpoints, and the final figures, written into a run folder."""

from __future__ import annotations

import hashlib
import time
from collections import deque
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from sevenepochs.corpus.fingerprint import fingerprint
from sevenepochs.environment import environment_facts
from sevenepochs.errors import UserError
from sevenepochs.experiment import Data, Experiment
from sevenepochs.model.gpt import n_matmul_parameters, n_parameters
from sevenepochs.model.scorer import TorchScorer
from sevenepochs.protocol.budget import evaluation_steps, joined_text
from sevenepochs.protocol.certificate import Facts, certificate
from sevenepochs.protocol.figures import all_figures, interim_figures
from sevenepochs.protocol.rows import stock_rows
from sevenepochs.protocol.scoring import causality_violation, title_losses
from sevenepochs.run_folder import Run, RunWriter, layout
from sevenepochs.tokenizer.base import Tokenizer
from sevenepochs.train import checkpoint, machine
from sevenepochs.train.hooks import Plan, Progress, Watcher
from sevenepochs.train.interrupt import Interrupted, StopRequests
from sevenepochs.train.mainrun import header_events
from sevenepochs.train.step import loss_function, training_step

_CHECKPOINT_SECONDS = 300.0
_SPEED_WINDOW_STEPS = 20
_CAUSALITY_TOKENS = 64 * 128  # of the validation stream: one batch of rows


def run_training(experiment: Experiment, recipe: str, root: Path, watcher: Watcher | None = None) -> Run:
    """Train from the start into a new run folder below `root` and return it complete.

    Raises:
        UserError: bad corpus, settings or folder; or a loss that is not finite (the run is marked failed, its state saved).
        Interrupted: Ctrl-C or SIGTERM arrived; the state is saved and the run can be resumed.
    """
    watcher = watcher or Watcher()
    data = experiment.load_data(watcher.message)
    experiment.build_batches(data)  # a corpus that is too small is refused before a folder exists
    with RunWriter.create(root, recipe, experiment.training.seed) as writer:
        writer.write_json(layout.CONFIG, experiment.to_dict())
        writer.write_text(layout.TOKENIZER, data.tokenizer.json)
        writer.write_json(
            layout.CORPUS, {**data.corpus.source, "name": data.corpus.name, "split": fingerprint(data.split)}
        )
        return _Training(experiment, data, writer, watcher).run()


def resume_training(run: Run, experiment: Experiment, watcher: Watcher | None = None) -> Run:
    """Go on from the last checkpoint of an interrupted run; on the same CPU, threads and versions the result is bit-identical.

    Raises:
        UserError: the run is complete or broken, or the corpus is not the one it was started on.
        Interrupted: as in `run_training`.
    """
    watcher = watcher or Watcher()
    with RunWriter.reopen(run.path) as writer:
        data = experiment.load_data(watcher.message, Tokenizer(run.read_text(layout.TOKENIZER)))
        if fingerprint(data.split) != run.corpus["split"]:
            raise UserError(
                f"run {run.name} was started on other titles than this corpus gives; pass its own with --corpus"
            )
        training = _Training(experiment, data, writer, watcher)
        if run.has_checkpoint():
            training.restore(*run.load_checkpoint())
        else:
            writer.truncate_metrics(0)
        return training.run()


class _Training:
    """The state of one run. `run` is the story; the rest are its parts."""

    def __init__(self, experiment: Experiment, data: Data, writer: RunWriter, watcher: Watcher) -> None:
        self.experiment, self.data, self.writer, self.watcher = experiment, data, writer, watcher
        settings = experiment.training
        self.batches = experiment.build_batches(data)
        self.rows = experiment.scoring_rows(data)
        self.n_steps = self.batches.steps_per_epoch * settings.epochs
        self.model = experiment.build_model(data.tokenizer.vocab_size)
        self.training_flop = 6.0 * n_matmul_parameters(self.model) * self.batches.targets_per_step * self.n_steps
        self.machine = machine.resolve(settings, self.training_flop)
        machine.prepare(self.machine)
        watcher.message(
            f"{self.machine.device}, {self.machine.precision}, {self.machine.threads} threads: {self.machine.why}"
        )
        self.model.to(self.machine.device)
        self.optimizer = experiment.optimizer.build(self.model)
        for group in self.optimizer.param_groups:
            group["peak_lr"] = group["lr"]
        self.loss_of = loss_function(experiment.objective, self.model, self.machine.precision, self.machine.compiled)
        self.scorer = TorchScorer(self.model, self.machine.precision, self.machine.compiled)
        self.floor = data.corpus.floor(data.split.validation)
        self.step = 0
        self.tokens_used = 0
        self.elapsed_before = 0.0
        self.environment = {**environment_facts(), "run": self.machine.to_dict()}

    def restore(self, tensors: dict[str, np.ndarray], state: dict[str, Any]) -> None:
        """Go back to a checkpoint."""
        checkpoint.restore(self.model, self.optimizer, tensors)
        self.step, self.tokens_used = state["step"], state["tokens_used"]
        self.elapsed_before = state["elapsed_seconds"]
        self.writer.truncate_metrics(self.step)
        if state["machine"] != self.machine.to_dict():
            self.watcher.message(
                "the machine, precision or threads differ from the checkpoint's: the result may differ in bits"
            )

    def run(self) -> Run:
        self.writer.write_json(layout.ENVIRONMENT, self.environment)
        if self.step == 0:
            self._log_headers()
        self._announce()
        evaluate_after = set(evaluation_steps(self.batches.steps_per_epoch, self.experiment.training.epochs))
        started = time.monotonic()
        saved = started
        recent: deque[float] = deque([started], maxlen=_SPEED_WINDOW_STEPS + 1)
        try:
            with StopRequests() as stop:
                while self.step < self.n_steps:
                    self.step += 1
                    row = self._train_one()
                    recent.append(time.monotonic())
                    elapsed = self.elapsed_before + recent[-1] - started
                    speed = self.batches.targets_per_step * (len(recent) - 1) / (recent[-1] - recent[0])
                    self._log_step(row, speed, elapsed)
                    if self.step in evaluate_after:
                        self._evaluate(elapsed)
                        recent = deque([time.monotonic()], maxlen=_SPEED_WINDOW_STEPS + 1)
                    now = time.monotonic()
                    if stop.requested or now - saved > _CHECKPOINT_SECONDS or self.step == self.n_steps:
                        self._save(self.elapsed_before + now - started)
                        saved = now
                    if stop.requested and self.step < self.n_steps:
                        raise Interrupted(self.writer.path)
                elapsed = self.elapsed_before + time.monotonic() - started
        finally:
            self.watcher.finished()
        return self._finish(elapsed)

    def _train_one(self) -> dict[str, float]:
        settings = self.experiment.training
        x_BT, y_BT = (torch.from_numpy(part).to(self.machine.device) for part in self.batches.batch(self.step))
        multiplier = self.experiment.schedule.multiplier(self.step, self.n_steps)
        result = training_step(
            self.model,
            self.loss_of,
            self.optimizer,
            x_BT,
            y_BT,
            step=self.step,
            seed=settings.seed,
            lr_multiplier=multiplier,
            grad_clip=settings.grad_clip,
        )
        if not (np.isfinite(result.loss) and np.isfinite(result.grad_norm)):
            # the weights are those before this step
            self.step -= 1
            self._save(self.elapsed_before)
            message = f"step {self.step + 1}: loss {result.loss}, gradient norm {result.grad_norm}: not finite"
            self.writer.fail(message, step=self.step + 1)
            raise UserError(
                f"{message}; the state before it is saved in {self.writer.path}; try a smaller optimizer.lr"
            )
        self.tokens_used += y_BT.numel()
        return {
            "train_loss_nats_per_token": result.loss,
            "grad_norm": result.grad_norm,
            "lr_multiplier": multiplier,
        }

    def _evaluate(self, elapsed_seconds: float) -> None:
        b = self.experiment.batches
        figures = interim_figures(self.scorer, self.data.validation, self.rows, b.batch_size, b.block_size)
        self._add_floor(figures)
        self.writer.append_metric(
            {"step": self.step, "event": "evaluation", **figures, "elapsed_seconds": elapsed_seconds}
        )
        self.writer.append_mainrun(
            "validation_step",
            step=self.step,
            max_steps=self.n_steps,
            loss=figures["official_val_loss_own_geometry"],
            elapsed_time=elapsed_seconds,
        )
        self.watcher.evaluated(self.step, figures)

    def _add_floor(self, figures: dict[str, float | None]) -> None:
        """On a corpus whose distribution is known, every evaluation shows loss, floor and excess."""
        if self.floor is not None and figures["exact_val_loss"] is not None:
            figures["floor_val_loss"] = self.floor.value_nats_per_char
            figures["excess_val_loss"] = figures["exact_val_loss"] - self.floor.value_nats_per_char

    def _save(self, elapsed_seconds: float) -> None:
        state = {
            "step": self.step,
            "tokens_used": self.tokens_used,
            "elapsed_seconds": elapsed_seconds,
            "machine": self.machine.to_dict(),
        }
        self.writer.save_checkpoint(checkpoint.capture(self.model, self.optimizer), state)

    def _finish(self, elapsed_seconds: float) -> Run:
        """The five figures in the run's precision and again in fp32, losses by title, certificate, weights, summary."""
        b, validation = self.experiment.batches, self.data.validation
        figures, log_probs_N = all_figures(self.scorer, validation, self.rows, b.batch_size, b.block_size)
        if self.machine.precision == "fp32" and not self.machine.compiled:
            figures_fp32, exact_scorer = figures, self.scorer
        else:
            self.watcher.message("final evaluation in fp32")
            exact_scorer = TorchScorer(self.model)
            figures_fp32, log_probs_N = all_figures(exact_scorer, validation, self.rows, b.batch_size, b.block_size)
        for each in (figures, figures_fp32):
            self._add_floor(each)
        losses = title_losses(log_probs_N, validation.ids_N, validation.eos_id)
        self.writer.save_tensors(layout.TITLE_LOSSES, {"nats": losses, "log_probs": log_probs_N})
        causality_ids_N = validation.ids_N[:_CAUSALITY_TOKENS]
        violation = causality_violation(
            exact_scorer, causality_ids_N, validation.eos_id, b.scoring_rows(causality_ids_N, validation.eos_id)
        )
        self.writer.write_json(layout.CERTIFICATE, certificate(self._facts(violation)))
        self.writer.save_model(checkpoint.model_tensors(self.model))
        self.writer.finish(
            {
                "figures": figures_fp32,
                "figures_run_precision": figures,
                "elapsed_seconds": elapsed_seconds,
                "n_steps": self.n_steps,
                "parameters": n_parameters(self.model),
                "tokens_per_step": self.batches.targets_per_step,
            }
        )
        return Run(self.writer.path)

    def _facts(self, violation_nats: float) -> Facts:
        data = self.data
        fidelity = data.tokenizer.fidelity(data.split.train + data.split.validation)
        afresh = np.asarray(data.tokenizer.encode(joined_text(data.split.train)), dtype=np.int32)
        is_stock = all(map(np.array_equal, self.rows, stock_rows(len(data.validation.ids_N))))
        return Facts(
            track="single",
            epochs=self.experiment.training.epochs,
            seed=self.experiment.training.seed,
            corpus={**data.corpus.source, "name": data.corpus.name},
            split=fingerprint(data.split),
            train_tokens=len(data.train_ids),
            tokens_used=self.tokens_used,
            passes_per_token=self.experiment.objective.passes_per_token,
            parameters=n_parameters(self.model),
            tokenizer_sha256=data.tokenizer.sha256,
            tokenizer_trained_on=getattr(self.experiment.tokenizer, "trained_on", "unknown"),
            tokenizer_fidelity={**asdict(fidelity), "reversible": fidelity.reversible},
            ids_sha256=hashlib.sha256(data.train_ids.tobytes()).hexdigest(),
            expected_ids_sha256=hashlib.sha256(afresh.tobytes()).hexdigest(),
            rows="stock" if is_stock else type(self.experiment.batches).__name__,
            causality_violation_nats=violation_nats,
            environment=self.environment,
        )

    def _announce(self) -> None:
        self.watcher.started(
            Plan(
                run_path=self.writer.path,
                first_step=self.step + 1,
                n_steps=self.n_steps,
                steps_per_epoch=self.batches.steps_per_epoch,
                targets_per_step=self.batches.targets_per_step,
                parameters=n_parameters(self.model),
                floor_nats_per_char=self.floor.value_nats_per_char if self.floor else None,
            )
        )

    def _log_step(self, row: dict[str, float], tokens_per_second: float, elapsed_seconds: float) -> None:
        extra = {"tokens_per_second": tokens_per_second, "elapsed_seconds": elapsed_seconds}
        self.writer.append_metric({"step": self.step, "event": "training", **row, **extra})
        loss = row["train_loss_nats_per_token"]
        self.writer.append_mainrun(
            "training_step", step=self.step, max_steps=self.n_steps, loss=loss, elapsed_time=elapsed_seconds, prnt=False
        )
        self.watcher.stepped(Progress(self.step, loss, tokens_per_second, elapsed_seconds))

    def _log_headers(self) -> None:
        """The challenge's opening events, so that readers of its log read ours."""
        for event, fields in header_events(
            self.experiment, self.data, self.batches.steps_per_epoch, n_parameters(self.model)
        ):
            self.writer.append_mainrun(event, **fields)
