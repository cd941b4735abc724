"""Nearly the nearest semi-orthogonal matrix of each matrix of a stack, by a quintic Newton-Schulz iteration: singular
values end between about 0.7 and 1.2, singular vectors stay (Jordan et al. 2024, "Muon: an optimizer for hidden layers
in neural networks", whose coefficients these are; Bernstein & Newhouse 2024, arXiv:2409.20325).

N stack, R rows, C columns.
"""

from __future__ import annotations

import torch
from torch import Tensor

COEFFICIENTS = (3.4445, -4.7750, 2.0315)


def product_flop(n_rows: int, n_columns: int, n_iterations: int) -> float:
    """Floating-point operations of the products for one matrix: per iteration x xT, its square, and one times x."""
    short, long = sorted((n_rows, n_columns))
    return float(n_iterations) * (4 * short**2 * long + 2 * short**3)


def orthogonalised(x_NRC: Tensor, n_iterations: int, dtype: torch.dtype, eps: float = 1e-7) -> Tensor:
    """A stack of the same shape, in `dtype`, computed as batched products."""
    a, b, c = COEFFICIENTS
    is_tall = x_NRC.shape[-2] > x_NRC.shape[-1]
    x = x_NRC.mT if is_tall else x_NRC  # the smaller side's products are the cheaper ones
    x = x.to(dtype)
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=eps)
    for _ in range(n_iterations):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if is_tall else x
