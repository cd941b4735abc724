"""Muon on the hidden matrices, AdamW on everything else, as one optimizer.

Muon orthogonalises the momentum of each matrix, so that all its directions move by equal amounts (Jordan et al. 2024,
"Muon: an optimizer for hidden layers in neural networks"). Decoupled decay: Liu et al. 2025, arXiv:2502.16982.
`torch.optim.Muon` computes the same, one matrix at a time; here equal shapes are one batched product.

N stack, R rows, C columns.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor, nn

from sevenepochs.config import check_choice, check_range
from sevenepochs.learning.optim import AdamW, OptimizerConfig
from sevenepochs.learning.settings import Precision
from sevenepochs.model.hardware import bf16_unit

FirmParts = Literal["all", "own"]
_COEFFICIENTS = (3.4445, -4.7750, 2.0315)


@dataclass(frozen=True)
class Muon(OptimizerConfig, kind="muon"):
    """Muon's settings are for the matrices inside the blocks; `rest` has all other parameters.

    `precision`: of the Newton-Schulz products; "auto" is bf16 where the device is fast at it.
    """

    lr: float = 0.01
    momentum: float = 0.95
    nesterov: bool = True
    weight_decay: float = 0.0
    n_iterations: int = 5
    precision: Precision = "auto"
    rest: AdamW = field(default_factory=lambda: AdamW(lr=3e-4, beta1=0.9, beta2=0.999, weight_decay=0.01))

    def __post_init__(self) -> None:
        check_range("optimizer.lr", self.lr, 0.0, 1e3)
        check_range("optimizer.momentum", self.momentum, 0.0, 1.0, open_high=True)
        check_range("optimizer.weight_decay", self.weight_decay, 0.0, 1e3)
        check_range("optimizer.n_iterations", self.n_iterations, 1, 100)
        check_choice("optimizer.precision", self.precision, Precision)

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        matrices, rest = hidden_matrices(model)
        return Partition([MatrixMuon(matrices, self), self.rest.build_for(rest)])

    def update_flop(self, model: nn.Module) -> float:
        matrices, _ = hidden_matrices(model)
        return sum(product_flop(len(matrix), matrix.shape[1], self.n_iterations) for matrix in matrices)


@dataclass(frozen=True)
class MuonFirmEmbedding(Muon, kind="muon_firm_embedding"):
    """Muon, with a decay of its own on the token vectors: `embedding_decay` in place of `rest.weight_decay`.

    At AdamW's usual decay and rate the vectors, a third of the parameters, hardly decay at all, while Muon's matrices
    decay twice over in a run. `firm`: all parts that the vectors are summed from, or each token's own part alone, so
    that what is peculiar to a token shrinks towards its word and letters.
    """

    embedding_decay: float = 0.3
    firm: FirmParts = "all"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_range("optimizer.embedding_decay", self.embedding_decay, 0.0, 1e3)
        check_choice("optimizer.firm", self.firm, FirmParts)

    def build(self, model: nn.Module) -> torch.optim.Optimizer:
        matrices, rest = hidden_matrices(model)
        named = model.get_submodule("embedding").named_parameters()
        firm = {id(p): p for name, p in named if self.firm == "all" or name.startswith("own.")}
        others = [p for p in rest if id(p) not in firm]
        firmly = replace(self.rest, weight_decay=self.embedding_decay)
        parts = [self.rest.build_for(others), *([firmly.build_for(firm.values())] if firm else [])]
        return Partition([MatrixMuon(matrices, self), *parts])


def hidden_matrices(model: nn.Module) -> tuple[list[Tensor], list[Tensor]]:
    """Return the trainable matrices inside the model's blocks, and all other trainable parameters."""
    matrices: list[Tensor] = [p for p in model.get_submodule("blocks").parameters() if p.ndim == 2 and p.requires_grad]
    chosen = {id(p) for p in matrices}
    return matrices, [p for p in model.parameters() if id(p) not in chosen and p.requires_grad]


class Partition(torch.optim.Optimizer):
    """Several optimizers as one, each over its own parameters. It shares its groups and its state with the parts, so
    that learning rates are scheduled and runs resumed as with any other optimizer."""

    def __init__(self, parts: Sequence[torch.optim.Optimizer]) -> None:
        super().__init__([group for part in parts for group in part.param_groups], {})
        self.parts = list(parts)
        self._share()

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # load_state_dict comes through here with new groups and state
        self._share()

    def _share(self) -> None:
        low = 0
        for part in self.parts:
            high = low + len(part.param_groups)
            part.param_groups = self.param_groups[low:high]
            part.state = self.state
            low = high

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Update every part."""
        assert closure is None, "the parts would each call it again"
        for part in self.parts:
            part.step()
        return None


class MatrixMuon(torch.optim.Optimizer):
    """State of a matrix: `momentum_buffer`, of its shape."""

    def __init__(self, matrices: list[Tensor], config: Muon) -> None:
        super().__init__(matrices, {"lr": config.lr, "weight_decay": config.weight_decay})
        self._momentum, self._nesterov = config.momentum, config.nesterov
        self._n_iterations = config.n_iterations
        is_fast = bf16_unit(matrices[0].device) is not None
        in_bf16 = config.precision == "bf16" or (config.precision == "auto" and is_fast)
        self._dtype = torch.bfloat16 if in_bf16 else torch.float32

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """p -= lr * (decay * p + sqrt(max(1, rows / columns)) * orthogonalised momentum)."""
        assert closure is None, "gradients are there already"
        for group in self.param_groups:
            by_shape: dict[torch.Size, list[Tensor]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    by_shape.setdefault(p.shape, []).append(p)
            for shape, matrices in by_shape.items():
                scale = math.sqrt(max(1.0, shape[0] / shape[1]))
                updates = orthogonalised(torch.stack(self._directions(matrices)), self._n_iterations, self._dtype)
                torch._foreach_mul_(matrices, 1.0 - group["lr"] * group["weight_decay"])
                torch._foreach_add_(matrices, list(updates.to(matrices[0].dtype)), alpha=-group["lr"] * scale)
        return None

    def _directions(self, matrices: list[Tensor]) -> list[Tensor]:
        grads = [p.grad for p in matrices if p.grad is not None]
        for p in matrices:
            if "momentum_buffer" not in self.state[p]:
                self.state[p]["momentum_buffer"] = torch.zeros_like(p)
        buffers = [self.state[p]["momentum_buffer"] for p in matrices]
        torch._foreach_lerp_(buffers, grads, 1.0 - self._momentum)
        return list(torch._foreach_lerp(grads, buffers, self._momentum)) if self._nesterov else buffers


def product_flop(n_rows: int, n_columns: int, n_iterations: int) -> float:
    """Return the FLOPs of one matrix's products: per iteration x xT, its square, and a product with x."""
    short, long = sorted((n_rows, n_columns))
    return float(n_iterations) * (4 * short**2 * long + 2 * short**3)


def orthogonalised(x_NRC: Tensor, n_iterations: int, dtype: torch.dtype, eps: float = 1e-7) -> Tensor:
    """Return nearly the nearest semi-orthogonal matrix of each matrix of a stack, in `dtype`, as batched products.

    A quintic Newton-Schulz iteration with the coefficients of Jordan et al. 2024: singular values end between about
    0.7 and 1.2, singular vectors stay (Bernstein & Newhouse 2024, arXiv:2409.20325).
    """
    a, b, c = _COEFFICIENTS
    is_tall = x_NRC.shape[-2] > x_NRC.shape[-1]
    x = x_NRC.mT if is_tall else x_NRC  # the smaller side's products are the cheaper ones
    x = x.to(dtype)
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=eps)
    for _ in range(n_iterations):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if is_tall else x
