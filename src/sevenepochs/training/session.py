"""The parts of a run (`Session`), and its progress (`State`)."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import torch

from sevenepochs.data.batches import TrainingBatches
from sevenepochs.data.corpus.base import Floor
from sevenepochs.experiment import Data, Experiment
from sevenepochs.learning.averaging import Average
from sevenepochs.learning.objective import ObjectiveConfig
from sevenepochs.model.dropout import share_rows
from sevenepochs.model.gpt import GPTModel, n_parameters
from sevenepochs.model.hardware import check_memory
from sevenepochs.model.scorer import TorchScorer
from sevenepochs.protocol.budget import EPOCHS
from sevenepochs.protocol.environment import environment_facts
from sevenepochs.protocol.rows import Rows
from sevenepochs.protocol.scoring import Scorer
from sevenepochs.store.run import RunWriter, SilentWriter
from sevenepochs.training import machine
from sevenepochs.training.hooks import Watcher
from sevenepochs.training.ranks import Ranks, SharedScorer
from sevenepochs.training.step import Loss, build_optimizer, loss_function

Writer = RunWriter | SilentWriter


@dataclass(frozen=True)
class Session:
    """One process's parts of a run. The objects stay the same; weights, optimizer and average change inside.

    Attributes:
        environment: of this session, and of earlier ones that differed.
        loss_in: the loss of an epoch, counted from 1.
        rows: the rows that validation tokens are scored in.
        scorer: in the run's precision.
        interim_scorer: the same, shared among the processes.
    """

    experiment: Experiment
    data: Data
    ranks: Ranks
    machine: machine.Machine
    environment: dict[str, Any]
    batches: TrainingBatches
    rows: Rows
    n_steps: int
    model: GPTModel
    optimizer: torch.optim.Optimizer
    average: Average
    loss_in: Callable[[int], Loss]
    scorer: TorchScorer
    interim_scorer: Scorer
    floor: Floor | None


@dataclass
class State:
    """A run's progress.

    Attributes:
        step: number of updates, including the one in progress.
        tokens_used: number of training targets, without padding.
        seconds: of training in all sessions, up to the last `tick`.
        saved_step: step of the last checkpoint; None before the first.
    """

    step: int = 0
    tokens_used: int = 0
    seconds: float = 0.0
    saved_step: int | None = None
    _last: float = field(default_factory=time.monotonic)

    def start_clock(self) -> None:
        """Count `seconds` from now on."""
        self._last = time.monotonic()

    def tick(self) -> float:
        """Count `seconds` up to now, and return them."""
        now = time.monotonic()
        self.seconds += now - self._last
        self._last = now
        return self.seconds


def setup(experiment: Experiment, data: Data, ranks: Ranks, watcher: Watcher) -> Session:
    """Put a run together on this machine, without writing anything.

    Raises:
        UserError: the machine cannot hold or do what the experiment asks for.
    """
    settings = experiment.training
    batches = experiment.build_batches(data)
    n_steps = batches.steps_per_epoch * settings.epochs
    model = experiment.build_model(data.tokenizer.vocab_size, data.tokenizer.texts())
    check_memory(  # weights and gradients, whatever the optimizer
        8 * n_parameters(model),
        f"{n_parameters(model):,} parameters need",
        "to train",
        "make model.d_model, model.n_layer or tokenizer.vocab_size smaller",
    )
    batch_size, block_size = experiment.batches.batch_size, experiment.batches.block_size
    ranks.check_divides(batch_size)
    work = machine.Work(experiment.step_flop(model), n_steps, batch_size, block_size, ranks.count)
    resolved = machine.resolve(settings, work)
    ranks.check_devices(resolved.device)
    machine.prepare(resolved)
    processes = f"{ranks.count} processes, " if ranks.count > 1 else ""
    threads = f"{resolved.threads} thread{'s' * (resolved.threads != 1)}"
    watcher.message(f"{resolved.device}, {resolved.precision}, {processes}{threads}: {resolved.why}")
    if settings.epochs != EPOCHS:
        watcher.message(f"training.epochs is {settings.epochs}: the certificate will say that it is not {EPOCHS}")
    model.to(resolved.device)
    share_rows(model, batch_size // ranks.count // resolved.micro_batches, batch_size)
    scorer = TorchScorer(model, resolved.precision, resolved.compiles_evaluations)

    @functools.cache  # compiled once
    def loss_for(objective: ObjectiveConfig) -> Loss:
        return loss_function(objective, model, resolved.precision, resolved.compiled, resolved.graphs)

    return Session(
        experiment=experiment,
        data=data,
        ranks=ranks,
        machine=resolved,
        environment={**environment_facts(), "run": resolved.to_dict()},
        batches=batches,
        rows=experiment.scoring_rows(data),
        n_steps=n_steps,
        model=model,
        optimizer=build_optimizer(experiment.optimizer, model),
        average=experiment.averaging.build(model, n_steps),
        loss_in=lambda epoch: loss_for(experiment.objective.at(epoch)),
        scorer=scorer,
        interim_scorer=scorer if ranks.count == 1 else SharedScorer(scorer, ranks),
        floor=data.floor(),
    )
