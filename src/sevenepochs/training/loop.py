"""The loop: steps, evaluations and checkpoints, written into a run folder. conclude.py follows it."""

from __future__ import annotations

import contextlib
import math
import time
from collections import deque
from collections.abc import Iterator

from sevenepochs.data.corpus.base import add_floor
from sevenepochs.errors import UserError
from sevenepochs.model.hardware import is_out_of_memory, upload
from sevenepochs.model.weights import snapshot_tensors
from sevenepochs.protocol.budget import evaluation_steps
from sevenepochs.protocol.figures import interim_figures
from sevenepochs.training.checkpoint import save
from sevenepochs.training.compiler import fault_in_words
from sevenepochs.training.hooks import Progress, Watcher
from sevenepochs.training.interrupt import Interrupted, StopRequests
from sevenepochs.training.session import Session, State, Writer
from sevenepochs.training.step import training_step

_FIRST_CHECKPOINT_SECONDS = 60.0  # at the latest
_SPEED_WINDOW_STEPS = 20
_COMPILER = ("torch._dynamo", "torch._inductor")  # whose errors are RuntimeErrors


def fit(session: Session, state: State, writer: Writer, watcher: Watcher, stop: StopRequests) -> None:
    """Train from `state` to the last step, and save.

    Raises:
        UserError: a loss that is not finite, or a batch with a wrong number of rows; the run is marked failed.
        Interrupted: `stop` was requested; the state is saved.
    """
    settings = session.experiment.training
    evaluate_after = set(evaluation_steps(session.batches.steps_per_epoch, settings.epochs))
    state.start_clock()
    started = time.monotonic()
    due = started + min(settings.checkpoint_seconds, _FIRST_CHECKPOINT_SECONDS)
    first_step = state.step + 1
    recent: deque[float] = deque([started], maxlen=_SPEED_WINDOW_STEPS + 1)
    while state.step < session.n_steps:
        state.step += 1
        row = _update(session, state, writer)
        recent.append(time.monotonic())
        seconds = max(recent[-1] - recent[0], 1e-9)  # some systems' clocks tick every 16 ms
        _log_step(session, state, writer, watcher, row, session.batches.targets_per_step * (len(recent) - 1) / seconds)
        if state.step in evaluate_after:
            _evaluate(session, state, writer, watcher)
        if state.step in evaluate_after or state.step == first_step:  # the first one compiles: its speed tells nothing
            recent = deque([time.monotonic()], maxlen=_SPEED_WINDOW_STEPS + 1)
        now = time.monotonic()
        stops = session.ranks.any(stop.requested)
        if stops or now >= due or state.step == session.n_steps:
            save(session, state, writer, state.step)
            due = now + settings.checkpoint_seconds
        if stops:
            raise Interrupted(writer.path)
    state.tick()


def _update(session: Session, state: State, writer: Writer) -> dict[str, float]:
    """Make one update; return its figures for the log."""
    experiment, ranks = session.experiment, session.ranks
    arrays = session.batches.batch(state.step)
    if len(arrays[0]) != (batch_size := experiment.batches.batch_size):
        raise _failed(
            state,
            writer,
            f"the batch has {len(arrays[0])} rows and not batches.batch_size = {batch_size}",
            "fill it with rows of padding (targets of -100)",
        )
    x_BT, y_BT = (upload(ranks.share(array), session.machine.device) for array in arrays)
    multiplier = experiment.schedule.multiplier(state.step, session.n_steps)
    result = training_step(
        session.model,
        session.loss_in((state.step - 1) // session.batches.steps_per_epoch + 1),
        session.optimizer,
        x_BT,
        y_BT,
        step=state.step,
        seed=experiment.training.seed,
        lr_multiplier=multiplier,
        grad_clip=experiment.training.grad_clip,
        ranks=ranks,
        loss_weights=ranks.loss_weights(arrays[1], session.machine.micro_batches),
    )
    if not result.is_finite:
        save(session, state, writer, state.step - 1)  # the weights are those before this step
        raise _failed(
            state,
            writer,
            f"loss {result.loss}, gradient norm {result.grad_norm}: not finite",
            f"the state before it is saved in {writer.path}; try a smaller optimizer.lr",
        )
    session.average.update(state.step)
    state.tokens_used += int((arrays[1] >= 0).sum())  # padding is no target
    return {"train_loss_nats_per_token": result.loss, "grad_norm": result.grad_norm, "lr_multiplier": multiplier}


def _log_step(
    session: Session, state: State, writer: Writer, watcher: Watcher, row: dict[str, float], tokens_per_second: float
) -> None:
    step, seconds, loss = state.step, state.tick(), row["train_loss_nats_per_token"]
    speed = {"tokens_per_second": tokens_per_second, "elapsed_seconds": seconds}
    writer.append_metric({"step": step, "event": "training", **row, **speed})
    writer.append_mainrun(
        "training_step", step=step, max_steps=session.n_steps, loss=loss, elapsed_time=seconds, prnt=False
    )
    watcher.stepped(Progress(step, loss, tokens_per_second, seconds))


def _evaluate(session: Session, state: State, writer: Writer, watcher: Watcher) -> None:
    b = session.experiment.batches
    with session.average.in_place():
        figures = interim_figures(session.interim_scorer, session.data.scored, session.rows, b.batch_size, b.block_size)
        if session.experiment.training.snapshots:
            writer.save_snapshot(state.step, snapshot_tensors(session.model))
    if not math.isfinite(figures["exact_val_loss"] or 0.0):
        raise _failed(
            state,
            writer,
            f"validation loss {figures['exact_val_loss']}: not finite",
            f"{writer.path} is marked failed; try a smaller optimizer.lr",
        )
    add_floor(figures, session.floor)
    step, seconds = state.step, state.tick()
    writer.append_metric({"step": step, "event": "evaluation", **figures, "elapsed_seconds": seconds})
    loss = figures["official_val_loss_own_geometry"]
    writer.append_mainrun("validation_step", step=step, max_steps=session.n_steps, loss=loss, elapsed_time=seconds)
    watcher.evaluated(step, figures)


def _failed(state: State, writer: Writer, what: str, advice: str) -> UserError:
    """Mark the run as failed at this step; return the error to raise."""
    message = f"step {state.step}: {what}"
    writer.fail(message, step=state.step)
    return UserError(f"{message}; {advice}")


@contextlib.contextmanager
def fail_on_torch_errors(session: Session, state: State, writer: Writer, *, in_training: bool) -> Iterator[None]:
    """Mark the run as failed, with one line, where torch runs out of memory or cannot compile the step or an evaluation
    (although the tiny kernel of `machine.resolve` did compile)."""
    device = session.machine.device
    try:
        yield
    except RuntimeError as error:
        if is_out_of_memory(error):
            smaller = f"{_smaller_parts(session) if in_training else ''}a smaller batches.batch_size or model"
            raise _failed(
                state,
                writer,
                f"out of memory on {session.machine.device_name or device}",
                f"{str(error).splitlines()[0]} Try {smaller}",
            ) from None
        if type(error).__module__.startswith(_COMPILER):
            advice = f"{fault_in_words(str(error), device)}; training.compile=off trains without"
            raise _failed(state, writer, "torch cannot compile the model", advice) from None
        raise


def _smaller_parts(session: Session) -> str:
    """Advice to take more micro-batches, where the rows can be cut further; else nothing."""
    parts, rows = 2 * session.machine.micro_batches, session.experiment.batches.batch_size // session.ranks.count
    may_be_cut = rows % parts == 0 and session.experiment.training.compile != "graphs"
    return f"training.micro_batches={parts}, or " if may_be_cut else ""
