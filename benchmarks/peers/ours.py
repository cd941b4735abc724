"""sevenepochs: the package's own step, as `sevenepochs train adamw` runs it."""

from __future__ import annotations

import torch
from shape import LONG_RUN_STEPS, Shape
from torch import Tensor

from peers.usual import Step
from sevenepochs.experiment import Experiment
from sevenepochs.learning.objective import ObjectiveConfig
from sevenepochs.learning.optim import AdamW
from sevenepochs.model.dropout import share_rows
from sevenepochs.recipes.story import baseline
from sevenepochs.training import machine
from sevenepochs.training.step import build_optimizer, loss_function, training_step

NOTE = "the stock model with AdamW, dropout on"


def make_step(shape: Shape, objective: ObjectiveConfig | None = None) -> Step:
    experiment: Experiment = baseline().replace("optimizer", AdamW(lr=5e-4))
    if objective is not None:
        experiment = experiment.replace("objective", objective)
    # as `train` would, but on a CPU compiled like the others also where `train` would find no compiler
    compile = "on" if (shape.compile, shape.device) == ("auto", "cpu") else shape.compile
    changes = {"model.n_layer": shape.n_layer, "model.n_head": shape.n_head, "model.d_model": shape.d_model,
               "model.embedding_dropout": shape.dropout, "model.attention.dropout": shape.dropout,
               "model.residual.dropout": shape.dropout, "batches.batch_size": shape.batch_size,
               "batches.block_size": shape.block_size, "training.precision": shape.precision,
               "training.device": shape.device,
               "training.compile": compile}  # fmt: skip
    experiment = experiment.replace_all(changes)
    model = experiment.build_model(shape.vocab_size)
    work = machine.Work(shape.flop, LONG_RUN_STEPS, shape.batch_size, shape.block_size)
    resolved = machine.resolve(experiment.training, work)
    machine.prepare(resolved)
    model.to(resolved.device).train()
    optimizer = build_optimizer(experiment.optimizer, model)
    parts = resolved.micro_batches
    share_rows(model, shape.batch_size // parts, shape.batch_size)
    loss_of = loss_function(experiment.objective, model, resolved.precision, resolved.compiled, resolved.graphs)

    def step(x_BT: Tensor, y_BT: Tensor, number: int) -> Tensor:
        result = training_step(
            model, loss_of, optimizer, x_BT, y_BT, step=number, seed=shape.seed, lr_multiplier=1.0, grad_clip=1.0,
            loss_weights=(1 / parts,) * parts,
        )  # fmt: skip
        return torch.tensor(result.loss)

    return Step(step, NOTE, parts)
