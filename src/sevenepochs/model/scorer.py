"""A torch model as a scorer: rows of ids in, log-probabilities of targets out."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from sevenepochs.model.gpt import GPTModel
from sevenepochs.model.hardware import autocast, compile_fixed, upload

_LOGITS_AT_ONCE = 64 * 1024 * 1024  # elements; bounds the fp32 logits of one chunk to 256 MiB


class TorchScorer:
    """Implements `protocol.scoring.Scorer`. Each call puts the model into eval mode and back.

    Args:
        precision: of all products; logits are fp32 before the softmax either way.
        among_V: a mask of tokens; with it the score is ln p(any of these tokens), whatever the target.
    """

    def __init__(
        self, model: GPTModel, precision: str = "fp32", compiled: bool = False, among_V: np.ndarray | None = None
    ) -> None:
        self._model = model
        self._device = next(model.parameters()).device
        self._precision = precision
        self._among_V = None if among_V is None else upload(among_V, self._device)
        self._log_probs: Callable[[Tensor, Tensor], Tensor] = self._forward
        if compiled:
            self._log_probs = compile_fixed(self._forward)

    def log_probs(self, x_RT: np.ndarray, y_RT: np.ndarray) -> np.ndarray:
        was_training = self._model.training
        self._model.eval()
        try:
            with torch.no_grad(), autocast(self._device, self._precision):
                x_BT, y_BT = upload(x_RT, self._device), upload(y_RT, self._device)
                return self._log_probs(x_BT, y_BT).cpu().double().numpy()
        finally:
            self._model.train(was_training)

    def _forward(self, x_BT: Tensor, y_BT: Tensor) -> Tensor:
        h_BTD = self._model(x_BT)
        if self._model.facts is not None:  # a closing `<eos>` is the same whatever it tells of the next title
            y_BT = y_BT % self._model.vocab_size
        rows_at_once = max(1, _LOGITS_AT_ONCE // (x_BT.shape[1] * self._model.vocab_size))
        parts = []
        for h_bTD, y_bT in zip(h_BTD.split(rows_at_once), y_BT.split(rows_at_once), strict=True):
            logits_bTV = self._model.logits(h_bTD).float()
            if self._among_V is None:
                scored_bT = logits_bTV.gather(-1, y_bT.unsqueeze(-1)).squeeze(-1)
            else:
                scored_bT = logits_bTV.masked_fill(~self._among_V, -torch.inf).logsumexp(-1)
            parts.append(scored_bT - logits_bTV.logsumexp(-1))
        return torch.cat(parts)
