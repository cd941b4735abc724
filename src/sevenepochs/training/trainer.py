"""The loop: steps, evaluations and checkpoints, written into a run folder. What follows it is in conclusion.py."""

from __future__ import annotations

import contextlib
import math
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from sevenepochs.data.corpus.fingerprint import check_same_titles, fingerprint
from sevenepochs.data.corpus.of_run import check_at_hand
from sevenepochs.data.tokenizer.base import Tokenizer
from sevenepochs.errors import UserError
from sevenepochs.experiment import Data, Experiment
from sevenepochs.model.dropout import share_rows
from sevenepochs.model.gpt import n_parameters
from sevenepochs.model.hardware import check_memory, is_out_of_memory, upload
from sevenepochs.model.scorer import TorchScorer
from sevenepochs.model.weights import snapshot_tensors
from sevenepochs.protocol.budget import EPOCHS, evaluation_steps
from sevenepochs.protocol.environment import EARLIER, earlier_environments, environment_facts
from sevenepochs.protocol.figures import interim_figures
from sevenepochs.protocol.scoring import Scorer
from sevenepochs.store.run import Run, RunWriter, SilentWriter, layout
from sevenepochs.training import checkpoint, machine
from sevenepochs.training.compiler import fault_in_words
from sevenepochs.training.conclusion import Outcome, conclude
from sevenepochs.training.final_figures import add_floor
from sevenepochs.training.hooks import Droppable, Plan, Progress, Watcher
from sevenepochs.training.interrupt import Interrupted, StoppedUnsaved, StopRequests
from sevenepochs.training.mainrun import header_events
from sevenepochs.training.ranks import Ranks, SharedScorer
from sevenepochs.training.step import build_optimizer, loss_function, training_step

Writer = RunWriter | SilentWriter

_FIRST_CHECKPOINT_SECONDS = 60.0  # at the latest
_SPEED_WINDOW_STEPS = 20
_COMPILER = ("torch._dynamo", "torch._inductor")  # whose errors are RuntimeErrors


def run_training(
    experiment: Experiment,
    recipe: str,
    root: Path,
    watcher: Watcher | None = None,
    settings: Sequence[str] | None = None,
) -> Run:
    """Train from the start into a new run folder below `root` and return it complete.

    Args:
        settings: KEY=VALUE that made the experiment of the recipe, None where that is not known; kept, so that the run
            can tell its command.

    Raises:
        UserError: bad corpus, settings or folder (then nothing is written); or a loss that is not finite (the run is
            marked failed, its state saved), or a GPU's memory that does not suffice (the same, with the last
            checkpoint).
        Interrupted: Ctrl-C, SIGTERM or SIGHUP arrived; the state is saved and the run can be resumed.
        StoppedUnsaved: a second Ctrl-C arrived; the run can be resumed from its last checkpoint.
    """
    ranks = Ranks.from_environment()
    watcher = Droppable(watcher) if watcher is not None and ranks.is_first else Watcher()
    with ranks.together():
        data = ranks.first_goes_first(lambda: experiment.load_data(watcher.message))
        training = _Training(experiment, data, watcher, ranks)  # what does not fit is refused before a folder exists
        with _one_writes(ranks, lambda: RunWriter.create(root, recipe, experiment.training.seed, settings)) as writer:
            writer.write_json(layout.CONFIG, experiment.to_dict())
            writer.write_text(layout.TOKENIZER, data.tokenizer.json)
            writer.write_json(
                layout.CORPUS, {**data.corpus.source, "name": data.corpus.name, "split": fingerprint(data.split)}
            )
            return training.run(writer)


def resume_training(run: Run, experiment: Experiment, watcher: Watcher | None = None) -> Run:
    """Go on from the last checkpoint of an interrupted or failed run.

    On the same CPU, threads and versions the result is bit-identical to that of an uninterrupted run.

    Raises:
        UserError: the run is complete or broken, or the corpus is not the one it was started on.
        Interrupted: as in `run_training`.
    """
    ranks = Ranks.from_environment()
    watcher = Droppable(watcher) if watcher is not None and ranks.is_first else Watcher()
    with ranks.together(), _one_writes(ranks, lambda: RunWriter.reopen(run.path)) as writer:
        check_at_hand(run, experiment.corpus)
        tokenizer = Tokenizer(run.read_text(layout.TOKENIZER), f"{layout.TOKENIZER} of run {run.name}")
        data = ranks.first_goes_first(lambda: experiment.load_data(watcher.message, tokenizer))
        check_same_titles(run, fingerprint(data.split))
        training = _Training(experiment, data, watcher, ranks)
        if run.has_checkpoint():
            training.restore(*run.load_checkpoint(), run.environment)
            writer.truncate_metrics(training.step)
        else:
            watcher.message("there is no checkpoint: begins again at step 1")
            for name in (layout.METRICS, layout.MAINRUN_LOG):
                writer.write_text(name, "")
        return training.run(writer)


@contextlib.contextmanager
def _one_writes(ranks: Ranks, open_writer: Callable[[], RunWriter]) -> Iterator[Writer]:
    """The run folder's writer in the first process, which tells the others where the folder is."""
    if ranks.is_first:
        with open_writer() as writer:
            ranks.from_first(str(writer.path))
            yield writer
    else:
        yield SilentWriter(Path(ranks.from_first(None)))


class _Training:
    """The state of one run. `run` is the story; the rest are its parts."""

    writer: Writer  # from `run` on

    def __init__(self, experiment: Experiment, data: Data, watcher: Watcher, ranks: Ranks) -> None:
        self.experiment, self.data, self.watcher, self.ranks = experiment, data, watcher, ranks
        settings = experiment.training
        self.batches = experiment.build_batches(data)
        self.rows = experiment.scoring_rows(data)
        self.n_steps = self.batches.steps_per_epoch * settings.epochs
        self.model = experiment.build_model(data.tokenizer.vocab_size, data.tokenizer.texts())
        check_memory(  # weights and gradients, whatever the optimizer
            8 * n_parameters(self.model),
            f"{n_parameters(self.model):,} parameters need",
            "to train",
            "make model.d_model, model.n_layer or tokenizer.vocab_size smaller",
        )
        batch_size, block_size = experiment.batches.batch_size, experiment.batches.block_size
        ranks.check_divides(batch_size)
        work = machine.Work(experiment.step_flop(self.model), self.n_steps, batch_size, block_size, ranks.count)
        self.machine = machine.resolve(settings, work)
        ranks.check_devices(self.machine.device)
        machine.prepare(self.machine)
        processes = f"{ranks.count} processes, " if ranks.count > 1 else ""
        watcher.message(
            f"{self.machine.device}, {self.machine.precision}, {processes}{self.machine.threads} threads: "
            f"{self.machine.why}"
        )
        if settings.epochs != EPOCHS:
            watcher.message(f"training.epochs is {settings.epochs}: the certificate will say that it is not {EPOCHS}")
        self.model.to(self.machine.device)
        self.optimizer = build_optimizer(experiment.optimizer, self.model)
        share_rows(self.model, batch_size // ranks.count // self.machine.micro_batches, batch_size)
        self.average = experiment.averaging.build(self.model, self.n_steps)
        self.loss_of = loss_function(
            experiment.objective, self.model, self.machine.precision, self.machine.compiled, self.machine.graphs
        )
        self.scorer = TorchScorer(self.model, self.machine.precision, self.machine.compiles_evaluations)
        self.interim_scorer: Scorer = self.scorer
        if ranks.count > 1:
            self.interim_scorer = SharedScorer(self.scorer, ranks)
        self.floor = data.corpus.floor(data.split.validation)
        self.step = 0
        self.tokens_used = 0
        self.elapsed_before = 0.0  # in earlier sessions of this run
        self.started = time.monotonic()
        self.is_resumed = False
        self.saved_step: int | None = None
        self.environment = {**environment_facts(), "run": self.machine.to_dict()}

    def restore(self, tensors: dict[str, np.ndarray], state: dict[str, Any], environment: dict[str, Any]) -> None:
        """Go on from a checkpoint. `environment`: that of the session before, as it was written."""
        self.is_resumed = True
        checkpoint.restore(self.model, self.optimizer, self.average, tensors)
        self.step, self.tokens_used = state["step"], state["tokens_used"]
        self.saved_step = self.step
        self.elapsed_before = state["elapsed_seconds"]
        if machine.Machine(**state["machine"]) != self.machine:  # what came later has its default there
            self.watcher.message(
                "the machine, precision, threads or micro-batches differ from the checkpoint's: "
                "the result may differ in bits"
            )
        if earlier := earlier_environments(environment, self.environment):
            self.environment[EARLIER] = earlier
            self.watcher.message("source, versions or machine changed since the run began: it keeps a record of each")

    def run(self, writer: Writer) -> Run:
        self.writer = writer
        self.writer.forget_failure()
        self.writer.write_json(layout.ENVIRONMENT, self.environment)
        if not self.is_resumed:
            self._log_headers()
        self._announce()
        self.started = time.monotonic()
        with StopRequests(self._promise_to_stop) as stop:
            try:
                with self._out_of_memory_fails(self._smaller_parts()), self._compiling_fails():
                    self._loop(stop)
            except KeyboardInterrupt:
                raise StoppedUnsaved(self.writer.path, self.saved_step) from None
            finally:
                self.watcher.finished()
            elapsed_seconds = self._elapsed_seconds()
            stop.at_once = True  # the state is saved, and the final figures may take minutes
            try:
                if stop.requested:
                    raise KeyboardInterrupt
                with self._out_of_memory_fails(), self.average.in_place():  # the weights that the run leaves
                    if isinstance(self.writer, RunWriter):
                        conclude(self._outcome(elapsed_seconds), self.writer, self.watcher)
                self.ranks.wait()
                return Run(self.writer.path)
            except KeyboardInterrupt:
                raise Interrupted(self.writer.path) from None

    @contextlib.contextmanager
    def _out_of_memory_fails(self, otherwise: str = "") -> Iterator[None]:
        try:
            yield
        except RuntimeError as error:
            if not is_out_of_memory(error):
                raise
            raise self._failed(
                f"out of memory on {self.machine.device_name or self.machine.device}",
                f"{str(error).splitlines()[0]} Try {otherwise}a smaller batches.batch_size or model",
            ) from None

    @contextlib.contextmanager
    def _compiling_fails(self) -> Iterator[None]:
        """What `machine.resolve` could not see: its tiny kernel compiled, and the step or an evaluation does not."""
        try:
            yield
        except RuntimeError as error:
            if not type(error).__module__.startswith(_COMPILER) or is_out_of_memory(error):
                raise
            raise self._failed(
                "torch cannot compile it",
                f"{fault_in_words(str(error), self.machine.device)}; training.compile=off trains without",
            ) from None

    def _smaller_parts(self) -> str:
        parts, rows = 2 * self.machine.micro_batches, self.experiment.batches.batch_size // self.ranks.count
        may_be_cut = rows % parts == 0 and self.experiment.training.compile != "graphs"
        return f"training.micro_batches={parts}, or " if may_be_cut else ""

    def _promise_to_stop(self) -> None:
        self.watcher.message("stopping after this step, with everything saved; once more to stop without saving")

    def _loop(self, stop: StopRequests) -> None:
        evaluate_after = set(evaluation_steps(self.batches.steps_per_epoch, self.experiment.training.epochs))
        interval = self.experiment.training.checkpoint_seconds
        due = self.started + min(interval, _FIRST_CHECKPOINT_SECONDS)
        first_step = self.step + 1
        recent: deque[float] = deque([self.started], maxlen=_SPEED_WINDOW_STEPS + 1)
        while self.step < self.n_steps:
            self.step += 1
            row = self._train_one()
            recent.append(time.monotonic())
            seconds = max(recent[-1] - recent[0], 1e-9)  # some systems' clocks tick every 16 ms
            self._log_step(row, self.batches.targets_per_step * (len(recent) - 1) / seconds)
            if self.step in evaluate_after:
                self._evaluate()
            if self.step in evaluate_after or self.step == first_step:  # which compiles, and says nothing of the others
                recent = deque([time.monotonic()], maxlen=_SPEED_WINDOW_STEPS + 1)
            now = time.monotonic()
            stops = self.ranks.any(stop.requested)
            if stops or now >= due or self.step == self.n_steps:
                self._save(self.step)
                due = now + interval
            if stops:
                raise Interrupted(self.writer.path)

    def _elapsed_seconds(self) -> float:
        return self.elapsed_before + time.monotonic() - self.started

    def _train_one(self) -> dict[str, float]:
        settings = self.experiment.training
        arrays = self.batches.batch(self.step)
        if len(arrays[0]) != (batch_size := self.experiment.batches.batch_size):
            raise self._failed(
                f"the batch has {len(arrays[0])} rows and not batches.batch_size = {batch_size}",
                "fill it with rows of padding (targets of -100)",
            )
        x_BT, y_BT = (upload(self.ranks.share(array), self.machine.device) for array in arrays)
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
            ranks=self.ranks,
            loss_weights=self.ranks.loss_weights(arrays[1], self.machine.micro_batches),
        )
        if not result.is_finite:
            self._save(self.step - 1)  # the weights are those before this step
            raise self._failed(
                f"loss {result.loss}, gradient norm {result.grad_norm}: not finite",
                f"the state before it is saved in {self.writer.path}; try a smaller optimizer.lr",
            )
        self.average.update(self.step)
        self.tokens_used += int((arrays[1] >= 0).sum())  # padding is no target
        return {
            "train_loss_nats_per_token": result.loss,
            "grad_norm": result.grad_norm,
            "lr_multiplier": multiplier,
        }

    def _evaluate(self) -> None:
        b = self.experiment.batches
        with self.average.in_place():
            figures = interim_figures(self.interim_scorer, self.data.validation, self.rows, b.batch_size, b.block_size)
            if self.experiment.training.snapshots:
                self.writer.save_snapshot(self.step, snapshot_tensors(self.model))
        if not math.isfinite(figures["exact_val_loss"] or 0.0):
            # the last update broke the weights, or only what validation meets is broken
            raise self._failed(
                f"validation loss {figures['exact_val_loss']}: not finite",
                f"{self.writer.path} is marked failed; try a smaller optimizer.lr",
            )
        add_floor(figures, self.floor)
        elapsed_seconds = self._elapsed_seconds()
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

    def _failed(self, what: str, advice: str) -> UserError:
        """Mark the run as failed at this step; returns the error to raise."""
        message = f"step {self.step}: {what}"
        self.writer.fail(message, step=self.step)
        return UserError(f"{message}; {advice}")

    def _save(self, step: int) -> None:
        if not isinstance(self.writer, RunWriter):
            return
        state = {
            "step": step,
            "tokens_used": self.tokens_used,
            "elapsed_seconds": self._elapsed_seconds(),
            "machine": self.machine.to_dict(),
        }
        self.writer.save_checkpoint(checkpoint.capture(self.model, self.optimizer, self.average), state)
        self.saved_step = step

    def _outcome(self, elapsed_seconds: float) -> Outcome:
        return Outcome(
            experiment=self.experiment,
            data=self.data,
            model=self.model,
            machine=self.machine,
            scorer=self.scorer,
            n_steps=self.n_steps,
            targets_per_step=self.batches.targets_per_step,
            tokens_used=self.tokens_used,
            elapsed_seconds=elapsed_seconds,
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

    def _log_step(self, row: dict[str, float], tokens_per_second: float) -> None:
        elapsed_seconds = self._elapsed_seconds()
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
            self.experiment, self.data, self.machine.device, self.batches.steps_per_epoch, n_parameters(self.model)
        ):
            self.writer.append_mainrun(event, **fields)
