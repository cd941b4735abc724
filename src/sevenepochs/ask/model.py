"""The model of a finished run: ids and text go in, numpy arrays come out. Analyses and the page ask nothing else.

It keeps no state between calls and never changes the network, so threads may share one Model.

A *context* is a sequence of ids that starts with `<eos>`: the protocol takes every stream to follow one, and in
training every title but the first of a row follows one, so this is how a title begins for the model.

B batch, R rows, T positions, V vocabulary, L layers, D model, H heads, S attended positions. Log-probabilities are
natural; divide by -ln 2 for bits.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Sized
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from sevenepochs.ask.rebuild import rebuild
from sevenepochs.data.corpus.base import Announce, CorpusConfig
from sevenepochs.data.corpus.fingerprint import check_same_titles, fingerprint
from sevenepochs.data.corpus.of_run import place_of
from sevenepochs.data.facts import FactTable
from sevenepochs.data.tokenizer.base import Tokenizer
from sevenepochs.errors import UserError
from sevenepochs.experiment import Data, Experiment, facts_of
from sevenepochs.model.context import KVCache
from sevenepochs.model.gpt import GPTModel
from sevenepochs.model.scorer import TorchScorer
from sevenepochs.protocol.budget import Split
from sevenepochs.store.run import Run

_ROWS_AT_ONCE = 64
_ELEMENTS_AT_ONCE = 32 * 1024 * 1024  # of fp32 log-probabilities over the vocabulary: 128 MiB

Ids = Sequence[int] | np.ndarray


def one_thread() -> None:
    """Compute with one thread for the rest of this process, and in threads that first use torch afterwards.

    Threads that share the few tokens of a title wait for one another at some fifty places of every pass. That gains
    nothing on an idle machine, and on a busy one each wait lasts until the other thread has its turn (docs/log).
    """
    torch.set_num_threads(1)


@dataclass(frozen=True)
class Activations:
    """One context inside the network: the residual stream after the embedding and after each block, float32
    (L + 1, T, D), and each layer's attention weights, float32 (L, H, T, S)."""

    ids_T: np.ndarray
    hidden_LTD: np.ndarray
    attention_LHTS: np.ndarray


@dataclass(frozen=True)
class Prefix:
    """Rows of ids that were read, all of one length, and the keys and values kept of them, so that the next token costs
    one token's work. A value: reading on gives a new Prefix, so clients, threads and samples may share one."""

    ids_BT: np.ndarray
    cache: KVCache

    def __len__(self) -> int:
        """Tokens read, of every row."""
        return int(self.ids_BT.shape[1])

    @property
    def n_bytes(self) -> int:
        return self.cache.n_bytes

    def first(self, n_tokens: int) -> Prefix:
        """Return the prefix as it was after the first `n_tokens`."""
        return Prefix(self.ids_BT[:, :n_tokens], self.cache.first(n_tokens))

    def compact(self) -> Prefix:
        """Return a copy to be kept: `first` and `read_on` may return views, which keep their whole origin alive."""
        return Prefix(self.ids_BT.copy(), self.cache.compact())

    def rows(self, index_B: np.ndarray) -> Prefix:
        """Return the chosen rows; a row may be chosen several times."""
        return Prefix(self.ids_BT[index_B], self.cache.rows(torch.from_numpy(np.asarray(index_B, dtype=np.int64))))


@dataclass(frozen=True, eq=False)
class Model:
    """A run's model. Load one with `Model.load(run)`.

    Attributes:
        experiment: the resolved recipe.
        tokenizer: the run's own.
        network: the weights (an embedding table), in fp32 on the CPU and in eval mode.
        facts: the facts' values that it knows; None where it is told none.
        told: the code of the facts that every `encode` tells (data/facts.py); 0 for none.
    """

    run: Run
    experiment: Experiment
    tokenizer: Tokenizer
    network: GPTModel
    facts: FactTable | None = None
    told: int = 0

    @classmethod
    def load(cls, run: Run, step: int | None = None) -> Model:
        """Rebuild the model of a run; no corpus is needed.

        Args:
            step: None for the final weights of a complete run. Else the weights after this step, up to the rounding of
                matrices to bf16, where the run kept them (`training.snapshots=true`); it need not be complete.

        Raises:
            UserError: the run has no such weights, a file of it is missing or corrupt, or its config names a class
                that is not loaded.
        """
        experiment, tokenizer, network = rebuild(run, step)
        return cls(run, experiment, tokenizer, network, facts_of(run, experiment))

    def given(self, facts: Mapping[str, str]) -> Model:
        """Return the same model with facts of the titles that it is asked about, e.g. {"url": "arxiv.org"}.

        Raises:
            UserError: it knows no such fact, or the value cannot be read.
        """
        if not facts:
            return self
        if self.facts is None:
            raise UserError(f"run {self.run.name} is told titles alone, no facts; leave --facts out")
        return replace(self, told=self.facts.code(facts))

    @property
    def name(self) -> str:
        return self.run.name

    @property
    def vocab_size(self) -> int:
        return self.network.vocab_size

    @property
    def block_size(self) -> int:
        """The longest context that is read; of a longer one the newest ids count."""
        return self.network.block_size

    @property
    def eos_id(self) -> int:
        return self.tokenizer.eos_id

    @property
    def opening(self) -> int:
        """The `<eos>` that opens a title and tells its facts."""
        return self.eos_id + self.vocab_size * self.told

    @property
    def scorer(self) -> TorchScorer:
        """For the functions of `protocol`."""
        return TorchScorer(self.network)

    def load_data(
        self, corpus: CorpusConfig | None = None, announce: Announce = lambda message: None, *, same_titles: bool = True
    ) -> Data:
        """Return titles encoded with the run's own tokenizer.

        Args:
            corpus: None for the one that the run's config names.
            same_titles: refuse titles other than those that the run was trained and validated on.

        Raises:
            UserError: the corpus cannot be read, or is another one.
        """
        place = place_of(self.run, corpus) if same_titles or corpus is None else corpus
        data = self.experiment.replace("corpus", place).load_data(announce, self.tokenizer, self.facts)
        if same_titles:
            check_same_titles(self.run, data.fingerprint())
        return data

    def load_titles(self, corpus: CorpusConfig | None = None, announce: Announce = lambda message: None) -> Split:
        """Return the run's own training and validation titles as text: seconds less than `load_data`.

        Raises:
            UserError: the corpus cannot be read, or is another one.
        """
        split = place_of(self.run, corpus).load(announce).split()
        check_same_titles(self.run, fingerprint(split))
        return split

    def encode(self, text: str) -> np.ndarray:
        """Return the context of a title that begins with `text`: `<eos>` with the facts, then the ids (int64).

        Spaces at the end are left out: a space belongs to the word that follows, and titles are stripped, so the model
        has never seen one there.
        """
        return np.asarray([self.opening, *self.tokenizer.encode(text.rstrip())], dtype=np.int64)

    def decode(self, ids: Ids) -> str:
        """Return the text of ids, special tokens shown."""
        return self.tokenizer.decode([int(i) % self.vocab_size for i in ids])

    def tokens(self, ids: Ids) -> list[str]:
        """Return each id as readable text, its leading space kept, part of a character as its bytes."""
        return [self.tokenizer.show(int(i) % self.vocab_size) for i in ids]

    def next_log_probs(self, context: Ids) -> np.ndarray:
        """Return ln p of every token after a context: float32 (V,)."""
        return self._log_probs(self._hidden(self._row(context))[:, -1:])[0, 0]

    def all_log_probs(self, context: Ids) -> np.ndarray:
        """Return ln p of every token after each beginning of a context: float32 (T, V); row t follows
        context[: t + 1].

        Raises:
            UserError: the context is longer than `block_size`.
        """
        self.check_fits(context)
        return self._log_probs(self._hidden(self._row(context)))[0]

    def log_probs_of(self, contexts: Sequence[Ids]) -> list[np.ndarray]:
        """Return ln p of each id after the first, given those before it: one float64 array (len - 1,) per context.

        A title's whole loss needs its closing `<eos>` at the end of the context. Contexts longer than `block_size` are
        read in overlapping rows, so that every id is predicted from at least half a block.
        """
        lengths = [len(context) - 1 for context in contexts]
        spans = [(index, *span) for index, n in enumerate(lengths) for span in _spans(n, self.block_size)]
        spans.sort(key=lambda span: span[3] - span[1])  # rows of like length, so that little is padded
        found = [np.full(max(n, 0), np.nan) for n in lengths]
        for low in range(0, len(spans), _ROWS_AT_ONCE):
            batch = spans[low : low + _ROWS_AT_ONCE]
            ids = [torch.as_tensor(contexts[i][start : stop + 1], dtype=torch.int64) for i, start, _, stop in batch]
            x_RT, y_RT = self._padded([row[:-1] for row in ids]), self._padded([row[1:] for row in ids])
            log_probs_RT = self.scorer.log_probs(x_RT.numpy(), y_RT.numpy())
            for r, (index, start, first, stop) in enumerate(batch):
                found[index][first:stop] = log_probs_RT[r, first - start : stop - start]
        return found

    def distributions(self, x_RT: np.ndarray) -> Iterator[np.ndarray]:
        """Give ln p of every token after each position of each row, a few rows at a time in order: float32
        (r, T, V)."""
        rows = max(1, _ELEMENTS_AT_ONCE // (x_RT.shape[1] * self.vocab_size))
        for low in range(0, len(x_RT), rows):
            x_BT = torch.from_numpy(np.asarray(x_RT[low : low + rows], dtype=np.int64))
            yield self._log_probs(self._hidden(x_BT))

    def new_prefix(self, n_rows: int = 1) -> Prefix:
        """Return the prefix of no tokens, where reading begins. The first id to read should be `<eos>`."""
        return Prefix(np.empty((n_rows, 0), dtype=np.int64), self.network.new_cache(n_rows))

    def read_on(self, prefix: Prefix, ids: Ids) -> tuple[np.ndarray, Prefix]:
        """Continue a prefix of one row: ln p of every token after each of `ids`, float32 (len(ids), V), and the longer
        prefix. What was read before is not computed again.

        Raises:
            UserError: together they are longer than `block_size`.
        """
        x_BT = np.asarray(ids, dtype=np.int64)[None]
        self.check_fits(range(len(prefix) + x_BT.shape[1]))
        h_BTD, longer = self._continue(prefix, x_BT)
        return self._log_probs(h_BTD)[0], longer

    def read_on_rows(self, prefix: Prefix, ids_B: np.ndarray) -> tuple[np.ndarray, Prefix]:
        """Continue each row of a prefix by one id: ln p of every token after it, float32 (B, V), and the longer prefix.

        A row that fills the block goes on from its newest half block, read again.
        """
        x_BT = np.asarray(ids_B, dtype=np.int64)[:, None]
        if len(prefix) == self.block_size:
            newest_BT = prefix.ids_BT[:, -(self.block_size // 2) :]
            _, prefix = self._continue(self.new_prefix(len(ids_B)), newest_BT)
        h_BTD, longer = self._continue(prefix, x_BT)
        return self._log_probs(h_BTD)[:, 0], longer

    def activations(self, contexts: Sequence[Ids]) -> list[Activations]:
        """Return hidden states and attention weights of contexts, read in one pass.

        Raises:
            UserError: one of them is longer than `block_size`, or empty.
        """
        for context in contexts:
            self.check_fits(context)
        rows = [self._row(context)[0] for context in contexts]
        with torch.inference_mode():
            trace = self.network.trace(self._padded(rows))
        found = []
        for r, ids_T in enumerate(rows):
            T = len(ids_T)
            hidden_LTD = np.stack([hidden_RTD[r, :T].numpy() for hidden_RTD in trace.hidden_BTD])
            attention_LHTS = np.stack([weights_RHTS[r, :, :T, :T].numpy() for weights_RHTS in trace.attention_BHTS])
            found.append(Activations(ids_T.numpy(), hidden_LTD, attention_LHTS))
        return found

    def lens(self, hidden_LTD: np.ndarray) -> Iterator[np.ndarray]:
        """Read hidden states as if they were the last ones: ln p of every token, float32 (T, V), layer by layer."""
        for hidden_TD in hidden_LTD:
            with torch.inference_mode():
                h_BTD = self.network.norm(torch.from_numpy(hidden_TD)[None])
            yield self._log_probs(h_BTD)[0]

    def embeddings(self) -> np.ndarray:
        """Return the input embedding of every token, float32 (V, D); read only."""
        weight_VD: np.ndarray = self.network.embedding.weight.detach().numpy()
        return weight_VD

    def check_fits(self, context: Sized) -> None:
        """Raise a UserError where a text is longer than a row."""
        if len(context) > self.block_size:
            raise UserError(f"the text has {len(context):,} tokens; this model reads {self.block_size} at once")

    def _padded(self, rows: Sequence[Tensor]) -> Tensor:
        """Rows of one length, padded on the right, where a causal model cannot look."""
        return pad_sequence(list(rows), batch_first=True, padding_value=self.eos_id)

    def _continue(self, prefix: Prefix, x_BT: np.ndarray) -> tuple[Tensor, Prefix]:
        cache = prefix.cache.fork()
        h_BTD = self._hidden(torch.from_numpy(x_BT), cache)
        return h_BTD, Prefix(np.concatenate((prefix.ids_BT, x_BT), axis=1), cache)

    def _hidden(self, x_BT: Tensor, cache: KVCache | None = None) -> Tensor:
        with torch.inference_mode():
            h_BTD: Tensor = self.network(x_BT, cache)
        return h_BTD

    def _log_probs(self, h_BTD: Tensor) -> np.ndarray:
        with torch.inference_mode():
            log_probs_BTV: np.ndarray = self.network.logits(h_BTD).float().log_softmax(-1).numpy()
        return log_probs_BTV

    def _row(self, context: Ids) -> Tensor:
        if len(context) == 0:
            raise UserError("an empty context predicts nothing; start it with <eos>")
        return torch.from_numpy(np.asarray(context, dtype=np.int64)[None, -self.block_size :].copy())


def _spans(n_targets: int, block_size: int) -> Iterator[tuple[int, int, int]]:
    """(start, first, stop) of rows as in `protocol.rows`: one, or several that overlap by half a block."""
    stop = 0
    while stop < n_targets:
        first, start = stop, max(0, stop - block_size // 2)
        stop = min(n_targets, start + block_size)
        yield start, first, stop
