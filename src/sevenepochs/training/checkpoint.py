"""Checkpoints: everything that decides the rest of a run, as plain tensors and JSON.

There is no generator state and no loader position: dropout and batches are functions of (seed, step).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from sevenepochs.model.weights import load_model_tensors, model_tensors, present_name, to_numpy
from sevenepochs.protocol.environment import EARLIER, earlier_environments
from sevenepochs.store.run import RunWriter
from sevenepochs.training.hooks import Watcher
from sevenepochs.training.machine import Machine
from sevenepochs.training.session import Session, State, Writer


def save(session: Session, state: State, writer: Writer, step: int) -> None:
    """Write a checkpoint of the first `step` updates; only the first process does."""
    if isinstance(writer, RunWriter):
        counted = {"step": step, "tokens_used": state.tokens_used, "elapsed_seconds": state.tick()}
        writer.save_checkpoint(_tensors(session), {**counted, "machine": session.machine.to_dict()})
        state.saved_step = step


def restore(
    session: Session, saved: tuple[dict[str, np.ndarray], dict[str, Any]], before: dict[str, Any], watcher: Watcher
) -> State:
    """Put a checkpoint (tensors, state) back, exactly; return the state that it was saved in.

    Args:
        before: the environment that the previous session wrote.
    """
    tensors, state = saved
    _put_back(session, tensors)
    if Machine(**state["machine"]) != session.machine:  # fields that came later have their defaults there
        watcher.message(
            "the machine, precision, threads or micro-batches differ from the checkpoint's: "
            "the result may differ in bits"
        )
    if earlier := earlier_environments(before, session.environment):
        session.environment[EARLIER] = earlier
        watcher.message("source, versions or machine changed since the run began: it keeps a record of each")
    return State(state["step"], state["tokens_used"], state["elapsed_seconds"], saved_step=state["step"])


def _tensors(session: Session) -> dict[str, np.ndarray]:
    """`model/<name>`, `optimizer/<parameter index>/<key>` and `average/<name>`."""
    tensors = {f"model/{name}": array for name, array in model_tensors(session.model).items()}
    for index, state in session.optimizer.state_dict()["state"].items():
        for key, value in state.items():
            if value is not None:  # SGD without momentum keeps a None
                tensors[f"optimizer/{index}/{key}"] = to_numpy(torch.as_tensor(value))
    return tensors | {f"average/{name}": to_numpy(tensor) for name, tensor in session.average.tensors().items()}


def _put_back(session: Session, tensors: dict[str, np.ndarray]) -> None:
    of: dict[str, dict[str, np.ndarray]] = {"model": {}, "optimizer": {}, "average": {}}
    for name, array in tensors.items():
        part, _, key = name.partition("/")
        of[part][key] = array
    load_model_tensors(session.model, of["model"], "the checkpoint")
    session.average.load({present_name(name): torch.tensor(array) for name, array in of["average"].items()})
    state: dict[int, dict[str, Any]] = {}
    for name, array in of["optimizer"].items():
        index, _, key = name.partition("/")
        state.setdefault(int(index), {})[key] = torch.tensor(array)
    session.optimizer.load_state_dict({"state": state, "param_groups": session.optimizer.state_dict()["param_groups"]})
