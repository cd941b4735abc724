"""Everything that decides the rest of a run, as plain tensors and JSON: weights, optimizer state, step.

There is no generator state and no loader position: dropout and batches are functions of (seed, step).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from sevenepochs.errors import UserError
from sevenepochs.model.gpt import GPTModel


def model_tensors(model: GPTModel) -> dict[str, np.ndarray]:
    """Parameters and persistent buffers by name; tied weights once."""
    return {name: _to_numpy(tensor) for name, tensor in model.state_dict().items() if name != "head.embedding.weight"}


def load_model_tensors(model: GPTModel, tensors: dict[str, np.ndarray], where: str) -> None:
    """Fill a model of the same shape.

    Raises:
        UserError: names or shapes differ from the model's.
    """
    expected = model_tensors(model)
    if expected.keys() != tensors.keys():
        odd = sorted(expected.keys() ^ tensors.keys())[:3]
        raise UserError(f"{where} does not fit the model of its config.json: {', '.join(odd)} is in one of them only")
    own = model.state_dict()
    for name, array in tensors.items():
        if own[name].shape != array.shape:
            raise UserError(
                f"{where}: {name} has shape {array.shape}, the model of its config.json {tuple(own[name].shape)}"
            )
        own[name].copy_(torch.from_numpy(np.array(array)))


def capture(model: GPTModel, optimizer: torch.optim.Optimizer) -> dict[str, np.ndarray]:
    """Tensors of a checkpoint: `model/<name>` and `optimizer/<parameter index>/<key>`."""
    tensors = {f"model/{name}": array for name, array in model_tensors(model).items()}
    for index, state in optimizer.state_dict()["state"].items():
        for key, value in state.items():
            if value is not None:  # SGD without momentum keeps a None
                tensors[f"optimizer/{index}/{key}"] = _to_numpy(torch.as_tensor(value))
    return tensors


def restore(model: GPTModel, optimizer: torch.optim.Optimizer, tensors: dict[str, np.ndarray]) -> None:
    """Put a checkpoint's tensors back, exactly."""
    of_model = {k.removeprefix("model/"): v for k, v in tensors.items() if k.startswith("model/")}
    load_model_tensors(model, of_model, "the checkpoint")
    state: dict[int, dict[str, Any]] = {}
    for name, array in tensors.items():
        if name.startswith("optimizer/"):
            _, index, key = name.split("/")
            state.setdefault(int(index), {})[key] = torch.from_numpy(np.array(array))
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _to_numpy(tensor: Tensor) -> np.ndarray:
    array: np.ndarray = tensor.detach().cpu().numpy().copy()
    return array
