"""A model's weights as plain arrays by name, and back, for run folders and checkpoints."""

from __future__ import annotations

import re

import numpy as np
import torch
from torch import Tensor

from sevenepochs.errors import UserError
from sevenepochs.model.gpt import GPTModel


def model_tensors(model: GPTModel) -> dict[str, np.ndarray]:
    """Return parameters and persistent buffers by name; tied weights once, under their first name."""
    return {name: to_numpy(tensor) for name, tensor in _named_once(model).items()}


def reading_tensors(model: GPTModel) -> dict[str, np.ndarray]:
    """Return `model_tensors` with an embedding in parts as the table that they add up to, for readers of the model."""
    return {name: to_numpy(tensor) for name, tensor in _read_once(model).items()}


def present_name(name: str) -> str:
    """Return a weight's present name, given one of any version.

    Until 30 November 2026 a block was a list of two joins, each with a norm and a branch (attention or MLP) inside; a
    stochastic join held another `join`, and an MLP's matrices were numbered.
    """
    old = re.fullmatch(r"(blocks\.\d+)\.([01])\.(join\.)?(.+)", name)
    if old is None:
        return name
    block, half, join, inside = old.groups()
    part = "attention" if half == "0" else "mlp"
    if inside.startswith("norm."):
        return f"{block}.{part}_{inside}"
    if inside.startswith("branch."):
        inside = re.sub(r"^0\.", "up.", re.sub(r"^2\.", "down.", inside.removeprefix("branch.")))
        return f"{block}.{part}.{inside}"
    return f"{block}.{part}_residual.{'of.' if join else ''}{inside}"


def load_model_tensors(model: GPTModel, tensors: dict[str, np.ndarray], where: str) -> None:
    """Fill a model of the same shape with weights under their present or their old names.

    Args:
        where: the tensors' origin, for the message.

    Raises:
        UserError: names or shapes differ from the model's.
    """
    own = _named_once(model)
    tensors = {present_name(name): array for name, array in tensors.items()}
    if own.keys() != tensors.keys():
        odd = sorted(own.keys() ^ tensors.keys())[:3]
        raise UserError(f"{where} does not fit the model of its config.json: {', '.join(odd)} is in one of them only")
    for name, array in tensors.items():
        shape = tuple(own[name].shape)
        if shape != array.shape:
            raise UserError(f"{where}: {name} has shape {array.shape}, the model of its config.json {shape}")
    with torch.no_grad():
        for name, array in tensors.items():
            own[name].copy_(torch.from_numpy(array))


def snapshot_tensors(model: GPTModel) -> dict[str, np.ndarray]:
    """Return `reading_tensors` at half the size: matrices in bf16, as bytes (numpy has no bf16); the rest in fp32."""
    return {
        name: to_numpy(tensor.detach().bfloat16().contiguous().view(torch.uint8) if tensor.dim() >= 2 else tensor)
        for name, tensor in _read_once(model).items()
    }


def from_snapshot(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the tensors of a snapshot in fp32, for `load_model_tensors`."""
    return {
        name: torch.from_numpy(array).view(torch.bfloat16).float().numpy() if array.dtype == np.uint8 else array
        for name, array in tensors.items()
    }


def _read_once(model: GPTModel) -> dict[str, Tensor]:
    rest = {name: tensor for name, tensor in _named_once(model).items() if not name.startswith("embedding.")}
    return {"embedding.weight": model.embedding.weight, **rest}


def _named_once(model: GPTModel) -> dict[str, Tensor]:
    tensors: dict[int, tuple[str, Tensor]] = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        tensors.setdefault(id(tensor), (name, tensor))
    return dict(tensors.values())


def to_numpy(tensor: Tensor) -> np.ndarray:
    """Return a copy on the CPU."""
    array: np.ndarray = tensor.detach().cpu().numpy().copy()
    return array
