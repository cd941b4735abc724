"""Head and loss together, some rows at a time, so that only a chunk of the logits exists.

A stock batch has 8,192 x 16,000 logits, half a gigabyte in fp32, which a plain loss reads and writes several times.
Here each chunk of rows is projected, its loss and its logits' gradient are computed at once, and the gradient is added
to those of the hidden states and the matrix. The three products are those of the usual backward pass; each logit takes
one exponential instead of two. Gradients in the forward pass: Hsu et al. 2024, "Liger kernel", arXiv:2410.10989; never
holding all logits: Wijmans et al. 2024, "Cut your losses", arXiv:2411.09009.

K passes of the same tokens (2 for R-Drop), N rows, C rows of a chunk, D model, V vocabulary.
"""

from __future__ import annotations

from typing import Any, Protocol

import torch
from torch import Tensor

from sevenepochs.model.gpt import GPTModel
from sevenepochs.model.head import LinearHead

# Elements: 128 MiB in fp32, and 512 MiB on a GPU, a whole stock batch. Smaller chunks add to the matrix's gradient more
# often.
_LOGITS_AT_ONCE = 32 * 1024 * 1024
_LOGITS_AT_ONCE_ON_A_GPU = 128 * 1024 * 1024


class LogitLoss(Protocol):
    """(logits_KCV in fp32, y_C) -> the sum of the rows' losses, and its gradient by the logits, of their shape.

    Rows whose target is negative are padding: no loss, no gradient.
    """

    def __call__(self, logits_KCV: Tensor, y_C: Tensor) -> tuple[Tensor, Tensor]: ...


def mean_loss(model: GPTModel, h_KBTD: Tensor, y_BT: Tensor, loss_of: LogitLoss) -> Tensor:
    """Return `loss_of`'s mean over the scored targets, differentiable by the hidden states and the head's matrix.

    A head that is no `LinearHead` computes all its logits at once.
    """
    y_N = y_BT.flatten()
    h_KND = h_KBTD.flatten(1, 2)
    # at least one: a part of a batch may hold nothing but padding, whose loss is 0
    n_scored = (y_N >= 0).sum().clamp(min=1)
    if isinstance(model.head, LinearHead):
        total: Tensor = _ChunkedHead.apply(h_KND, model.head.weight_VD, y_N, model.head, loss_of)
    else:
        total = _OfLogits.apply(model.logits(h_KND).float(), y_N, loss_of)
    return total / n_scored


class _ChunkedHead(torch.autograd.Function):
    """The sum of the losses; its gradients are ready when it is."""

    @staticmethod
    def forward(
        ctx: Any, h_KND: Tensor, weight_VD: Tensor, y_N: Tensor, head: LinearHead, loss_of: LogitLoss
    ) -> Tensor:
        K, _, D = h_KND.shape
        kind = h_KND.device.type
        dtype = torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else h_KND.dtype
        w_VD = weight_VD.to(dtype)
        rows_at_once = max(1, (_LOGITS_AT_ONCE if kind == "cpu" else _LOGITS_AT_ONCE_ON_A_GPU) // (K * w_VD.shape[0]))
        total = torch.zeros((), device=h_KND.device)
        by_h: list[Tensor] = []
        by_weight_VD = torch.zeros_like(weight_VD)
        for h_KCD, y_C in zip(h_KND.to(dtype).split(rows_at_once, dim=1), y_N.split(rows_at_once), strict=True):
            product_KCV = (h_KCD @ w_VD.T).float()
            loss, by_logits_KCV = loss_of(head.bend(product_KCV), y_C)
            by_product_KCV = head.unbend(by_logits_KCV, product_KCV).to(dtype)
            total = total + loss
            by_h.append(by_product_KCV @ w_VD)
            by_weight_VD = by_weight_VD + by_product_KCV.flatten(0, 1).T @ h_KCD.reshape(-1, D)
        ctx.save_for_backward(torch.cat(by_h, dim=1).to(h_KND.dtype), by_weight_VD)
        return total

    @staticmethod
    def backward(ctx: Any, *by_total: Tensor) -> tuple[Tensor | None, ...]:
        by_h_KND, by_weight_VD = ctx.saved_tensors
        return by_h_KND * by_total[0], by_weight_VD * by_total[0], None, None, None


class _OfLogits(torch.autograd.Function):
    """The same from all logits."""

    @staticmethod
    def forward(ctx: Any, logits_KNV: Tensor, y_N: Tensor, loss_of: LogitLoss) -> Tensor:
        total, by_logits_KNV = loss_of(logits_KNV, y_N)
        ctx.save_for_backward(by_logits_KNV)
        return total

    @staticmethod
    def backward(ctx: Any, *by_total: Tensor) -> tuple[Tensor | None, ...]:
        (by_logits_KNV,) = ctx.saved_tensors
        return by_logits_KNV * by_total[0], None, None


def softmax_parts(logits_KCV: Tensor) -> tuple[Tensor, Tensor]:
    """Return probabilities, and the logarithm of their denominator (K, C, 1), with one exponential per logit."""
    top_KC1 = logits_KCV.amax(-1, keepdim=True)
    powers_KCV = (logits_KCV - top_KC1).exp_()
    sum_KC1 = powers_KCV.sum(-1, keepdim=True)
    return powers_KCV.mul_(1.0 / sum_KC1), top_KC1 + sum_KC1.log()


def targets(y_C: Tensor, n_passes: int) -> tuple[Tensor, Tensor]:
    """Return 1.0 per scored row and 0.0 per row of padding (C, 1), and the targets' ids (K, C, 1)."""
    return (y_C >= 0).float().unsqueeze(-1), y_C.clamp(min=0).unsqueeze(-1).expand(n_passes, -1, -1)


def add_at_targets(by_logits_KCV: Tensor, value_C1: Tensor, place_KC1: Tensor) -> Tensor:
    """Return `by_logits_KCV` with `value_C1` added at the targets; it may be changed in place."""
    if torch.compiler.is_compiling():
        # as an element-wise pass this becomes part of the kernel before it; a scatter would be one of its own
        index_V = torch.arange(by_logits_KCV.shape[-1], dtype=torch.int32, device=place_KC1.device)
        is_target_KCV = index_V == place_KC1.int()  # 32 bits: as wide as the logits, so vectors need no splitting
        return by_logits_KCV + torch.where(is_target_KCV, value_C1, 0.0)
    return by_logits_KCV.scatter_add_(-1, place_KC1, value_C1.expand(len(place_KC1), -1, -1))
