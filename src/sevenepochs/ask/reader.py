"""Reader: the one read-only way in which analyses and the web page ask a finished run's model.

It hides slots, torch and the run folder: ids and text go in, numpy arrays come out. It keeps no state between calls and
never changes the model (eval mode once, inference mode in every call), so threads may share one Reader.

A *context* is a sequence of ids that starts with `<eos>`: the protocol takes every stream to follow one, and in
training every title but the first of a row follows one, so this is how a title begins for the model.

B batch, R rows, T positions, V vocabulary, L layers, D model, H heads, S attended positions. Log-probabilities are
natural; divide by -ln 2 for bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence, Sized
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from sevenepochs.ask.memory import Memory
from sevenepochs.ask.trained import TrainedRun, load_snapshot, load_trained
from sevenepochs.data.tokenizer.base import Tokenizer
from sevenepochs.errors import UserError
from sevenepochs.experiment import Experiment
from sevenepochs.model.scorer import TorchScorer
from sevenepochs.store.run import Run

_ROWS_AT_ONCE = 64
_ELEMENTS_AT_ONCE = 32 * 1024 * 1024  # of fp32 log-probabilities over the vocabulary: 128 MiB

Ids = Sequence[int] | np.ndarray


@dataclass(frozen=True)
class Trace:
    """What a pass over a context looked like inside: the residual stream after the embedding and after each block,
    float32 (L + 1, T, D), and each layer's attention weights, float32 (L, H, T, S)."""

    ids_T: np.ndarray
    hidden_LTD: np.ndarray
    attention_LHTS: np.ndarray


@dataclass(frozen=True, eq=False)
class Reader:
    """What a model answers. Open one with `Reader.open(run)`.

    Attributes:
        name: the run's.
        experiment: the resolved recipe.
        tokenizer: the run's own.
    """

    name: str
    experiment: Experiment
    tokenizer: Tokenizer
    trained: TrainedRun

    def __repr__(self) -> str:
        return f"Reader({self.name!r})"

    @classmethod
    def open(cls, run: Run) -> Reader:
        """Rebuild the model of a complete run; no corpus is needed.

        Raises:
            UserError: the run is not complete, or a file of it is missing or corrupt.
        """
        return cls.of(load_trained(run))

    @classmethod
    def open_snapshot(cls, run: Run, step: int) -> Reader:
        """The model as it was after a step, where the run kept its weights (`training.snapshots=true`).

        Raises:
            UserError: it did not.
        """
        return cls.of(load_snapshot(run, step))

    @classmethod
    def of(cls, trained: TrainedRun) -> Reader:
        """A reader of a model that is loaded already."""
        return cls(trained.run.name, trained.experiment, trained.tokenizer, trained)

    @property
    def vocab_size(self) -> int:
        return self.trained.model.vocab_size

    @property
    def block_size(self) -> int:
        """The longest context that is read; of a longer one the newest ids count."""
        return self.trained.model.block_size

    @property
    def eos_id(self) -> int:
        return self.tokenizer.eos_id

    def encode(self, text: str) -> np.ndarray:
        """The context of a title that begins with `text`: `<eos>`, then the ids (int64).

        Spaces at the end are left out: a space belongs to the word that follows, and titles are stripped, so the model
        has never seen one there.
        """
        return np.asarray([self.eos_id, *self.tokenizer.encode(text.rstrip())], dtype=np.int64)

    def decode(self, ids: Ids) -> str:
        """Text of ids, special tokens shown."""
        return self.tokenizer.decode([int(i) for i in ids])

    def tokens(self, ids: Ids) -> list[str]:
        """Each id as readable text; the leading space is kept, and part of a character is shown as its bytes."""
        return [self.tokenizer.show(int(i)) for i in ids]

    def next_log_probs(self, context: Ids) -> np.ndarray:
        """ln p of every token after a context: float32 (V,)."""
        with torch.inference_mode():
            h_BTD = self.trained.model(self._row(context))
            return _log_softmax(self.trained.model.logits(h_BTD[:, -1:]))[0, 0].numpy()

    def all_log_probs(self, context: Ids) -> np.ndarray:
        """ln p of every token after each beginning of a context: float32 (T, V); row t follows context[: t + 1].

        Raises:
            UserError: the context is longer than `block_size`.
        """
        self.check_fits(context)
        with torch.inference_mode():
            return _log_softmax(self.trained.model.logits(self.trained.model(self._row(context))))[0].numpy()

    def log_probs_of(self, contexts: Sequence[Ids]) -> list[np.ndarray]:
        """ln p of each id after the first, given those before it: one float64 array (len - 1,) a context, batched.

        A title's whole loss needs its closing `<eos>` at the end of the context. Contexts longer than `block_size` are
        read in overlapping rows, so that every id is predicted from at least half a block.
        """
        spans = [
            (index, *span)
            for index, context in enumerate(contexts)
            for span in _spans(len(context) - 1, self.block_size)
        ]
        spans.sort(key=lambda span: span[3] - span[1])  # rows of like length, so that little is padded
        found = [np.full(max(len(context) - 1, 0), np.nan) for context in contexts]
        for low in range(0, len(spans), _ROWS_AT_ONCE):
            batch = spans[low : low + _ROWS_AT_ONCE]
            width = max(stop - start for _, start, _, stop in batch)
            # padded on the right, where a causal model cannot look
            x_RT = np.full((len(batch), width), self.eos_id, dtype=np.int64)
            y_RT = np.full((len(batch), width), self.eos_id, dtype=np.int64)
            for r, (index, start, _, stop) in enumerate(batch):
                ids = np.asarray(contexts[index], dtype=np.int64)
                x_RT[r, : stop - start], y_RT[r, : stop - start] = ids[start:stop], ids[start + 1 : stop + 1]
            log_probs_RT = self.rows_log_probs(x_RT, y_RT)
            for r, (index, start, first, stop) in enumerate(batch):
                found[index][first:stop] = log_probs_RT[r, first - start : stop - start]
        return found

    def rows_log_probs(self, x_RT: np.ndarray, y_RT: np.ndarray) -> np.ndarray:
        """ln p(y[r, t] | x[r, 0..t]) as float64 (R, T): what `protocol.scoring` asks of a scorer."""
        return self.scorer.log_probs(x_RT, y_RT)

    @property
    def scorer(self) -> TorchScorer:
        """For the functions of `protocol`."""
        return TorchScorer(self.trained.model)

    def distributions(self, x_RT: np.ndarray) -> Iterator[np.ndarray]:
        """ln p of every token after each position of each row, a few rows at a time in order: float32 (r, T, V)."""
        rows = max(1, _ELEMENTS_AT_ONCE // (x_RT.shape[1] * self.vocab_size))
        for low in range(0, len(x_RT), rows):
            with torch.inference_mode():
                x_BT = torch.from_numpy(np.asarray(x_RT[low : low + rows], dtype=np.int64))
                log_probs_BTV = _log_softmax(self.trained.model.logits(self.trained.model(x_BT)))
            yield log_probs_BTV.numpy()

    def remember(self) -> Memory:
        """Nothing read yet: where `read_on` begins. The first id to read should be `<eos>`."""
        return Memory.empty(self.trained.model, n_rows=1)

    def read_on(self, memory: Memory, ids: Ids) -> tuple[np.ndarray, Memory]:
        """Continue a memory of one row: ln p of every token after each of `ids`, float32 (len(ids), V), and the longer
        memory. What was read before is not computed again; `memory` stays as it was.

        Raises:
            UserError: together they are longer than `block_size`.
        """
        x_BT = np.asarray(ids, dtype=np.int64)[None]
        self.check_fits(range(len(memory) + x_BT.shape[1]))
        h_BTD, longer = self._continue(memory, x_BT)
        with torch.inference_mode():
            return _log_softmax(self.trained.model.logits(h_BTD))[0].numpy(), longer

    def read_on_rows(self, memory: Memory, ids_B: np.ndarray) -> tuple[np.ndarray, Memory]:
        """One more id for each row of a memory: ln p of every token after it, float32 (B, V), and the longer memory.

        A row that fills the block goes on from its newest half block, read again.
        """
        x_BT = np.asarray(ids_B, dtype=np.int64)[:, None]
        if len(memory) == self.block_size:
            newest_BT = memory.ids_BT[:, -(self.block_size // 2) :]
            _, memory = self._continue(Memory.empty(self.trained.model, len(ids_B)), newest_BT)
        h_BTD, longer = self._continue(memory, x_BT)
        with torch.inference_mode():
            return _log_softmax(self.trained.model.logits(h_BTD))[:, 0].numpy(), longer

    def trace(self, context: Ids) -> Trace:
        """Hidden states and attention weights of one pass.

        Raises:
            UserError: the context is longer than `block_size`.
        """
        return self.traces([context])[0]

    def traces(self, contexts: Sequence[Ids]) -> list[Trace]:
        """The same of several contexts, read in one pass.

        Raises:
            UserError: one of them is longer than `block_size`, or empty.
        """
        for context in contexts:
            self.check_fits(context)
        rows = [self._row(context)[0] for context in contexts]
        # padded on the right, where a causal model cannot look
        x_RT = pad_sequence(rows, batch_first=True, padding_value=self.eos_id)
        with torch.inference_mode():
            trace = self.trained.model.trace(x_RT)
        found = []
        for r, ids_T in enumerate(rows):
            T = len(ids_T)
            hidden_LTD = np.stack([hidden_RTD[r, :T].numpy() for hidden_RTD in trace.hidden_BTD])
            attention_LHTS = np.stack([weights_RHTS[r, :, :T, :T].numpy() for weights_RHTS in trace.attention_BHTS])
            found.append(Trace(ids_T.numpy(), hidden_LTD, attention_LHTS))
        return found

    def lens(self, hidden_LTD: np.ndarray) -> Iterator[np.ndarray]:
        """Hidden states read as if they were the last ones: ln p of every token, float32 (T, V), layer by layer."""
        model = self.trained.model
        for hidden_TD in hidden_LTD:
            with torch.inference_mode():
                h_BTD = model.norm(torch.from_numpy(hidden_TD)[None])
                log_probs_TV = _log_softmax(model.logits(h_BTD))[0].numpy()
            yield log_probs_TV

    def embeddings(self) -> np.ndarray:
        """The input embedding of every token, float32 (V, D); read only."""
        weight_VD: np.ndarray = self.trained.model.embedding.weight.detach().numpy()
        return weight_VD

    def _continue(self, memory: Memory, x_BT: np.ndarray) -> tuple[Tensor, Memory]:
        past = memory.past.fork()
        with torch.inference_mode():
            h_BTD = self.trained.model(torch.from_numpy(x_BT), past)
        return h_BTD, Memory(np.concatenate((memory.ids_BT, x_BT), axis=1), past)

    def check_fits(self, context: Sized) -> None:
        """Raise UserError where a text is longer than a row."""
        if len(context) > self.block_size:
            raise UserError(f"the text has {len(context):,} tokens; this model reads {self.block_size} at once")

    def _row(self, context: Ids) -> Tensor:
        if len(context) == 0:
            raise UserError("an empty context predicts nothing; start it with <eos>")
        return torch.from_numpy(np.asarray(context, dtype=np.int64)[None, -self.block_size :].copy())


def _log_softmax(logits: Tensor) -> Tensor:
    return logits.float().log_softmax(-1)


def _spans(n_targets: int, block_size: int) -> Iterator[tuple[int, int, int]]:
    """(start, first, stop) of rows as in `protocol.rows`: one, or several that overlap by half a block."""
    stop = 0
    while stop < n_targets:
        first, start = stop, max(0, stop - block_size // 2)
        stop = min(n_targets, start + block_size)
        yield start, first, stop
