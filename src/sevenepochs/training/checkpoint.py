"""Everything that decides the rest of a run, as plain tensors and JSON: weights, optimizer state, step.

There is no generator state and no loader position: dropout and batches are functions of (seed, step).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from sevenepochs.learning.averaging import Average
from sevenepochs.model.gpt import GPTModel
from sevenepochs.model.weights import load_model_tensors, model_tensors, present_name, to_numpy


def capture(model: GPTModel, optimizer: torch.optim.Optimizer, average: Average) -> dict[str, np.ndarray]:
    """Tensors of a checkpoint: `model/<name>`, `optimizer/<parameter index>/<key>` and `average/<name>`."""
    tensors = {f"model/{name}": array for name, array in model_tensors(model).items()}
    for index, state in optimizer.state_dict()["state"].items():
        for key, value in state.items():
            if value is not None:  # SGD without momentum keeps a None
                tensors[f"optimizer/{index}/{key}"] = to_numpy(torch.as_tensor(value))
    tensors |= {f"average/{name}": to_numpy(tensor) for name, tensor in average.tensors().items()}
    return tensors


def restore(
    model: GPTModel, optimizer: torch.optim.Optimizer, average: Average, tensors: dict[str, np.ndarray]
) -> None:
    """Put a checkpoint's tensors back, exactly."""
    of_model = {k.removeprefix("model/"): v for k, v in tensors.items() if k.startswith("model/")}
    load_model_tensors(model, of_model, "the checkpoint")
    of_average = {k.removeprefix("average/"): v for k, v in tensors.items() if k.startswith("average/")}
    average.load({present_name(name): torch.from_numpy(np.array(array)) for name, array in of_average.items()})
    state: dict[int, dict[str, Any]] = {}
    for name, array in tensors.items():
        if name.startswith("optimizer/"):
            _, index, key = name.split("/")
            state.setdefault(int(index), {})[key] = torch.from_numpy(np.array(array))
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})
