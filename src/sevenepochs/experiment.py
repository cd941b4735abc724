"""An experiment: one Config per slot. Everything is put together here and nowhere else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from sevenepochs.config import NOT_A_SETTING, Config
from sevenepochs.data.batches import BatchesConfig, TrainingBatches
from sevenepochs.data.batches.stream import Stream
from sevenepochs.data.corpus.base import Announce, Corpus, CorpusConfig
from sevenepochs.data.corpus.describe import doubts
from sevenepochs.data.corpus.hub import HubCorpus
from sevenepochs.data.tokenizer.base import Tokenizer, TokenizerConfig
from sevenepochs.data.tokenizer.trained import BPE
from sevenepochs.errors import UserError
from sevenepochs.learning.averaging import AveragingConfig, LastWeights
from sevenepochs.learning.objective import CrossEntropy, ObjectiveConfig
from sevenepochs.learning.optim import SGD, OptimizerConfig
from sevenepochs.learning.schedule import Cosine, ScheduleConfig
from sevenepochs.learning.settings import Training
from sevenepochs.model.gpt import GPT, GPTModel, n_matmul_parameters
from sevenepochs.protocol.budget import STOCK_BLOCK_SIZE, Split, char_count
from sevenepochs.protocol.figures import Validation
from sevenepochs.protocol.rows import Rows


class Data(NamedTuple):
    """A corpus prepared for one experiment: titles, tokenizer, and the two id streams (int32)."""

    corpus: Corpus
    split: Split
    tokenizer: Tokenizer
    train_ids: np.ndarray
    validation: Validation


@dataclass(frozen=True)
class Experiment(Config, kind="experiment"):
    """The whole recipe. The defaults are the stock program on the hub corpus.

    Attributes:
        recipe: name of the recipe that it was loaded as, kept by `replace`; None for one made by hand. It is no
            setting: `==` ignores it, and `to_dict` leaves it out.
    """

    corpus: CorpusConfig = field(default_factory=HubCorpus)
    tokenizer: TokenizerConfig = field(default_factory=BPE)
    batches: BatchesConfig = field(default_factory=Stream)
    model: GPT = field(default_factory=GPT)
    objective: ObjectiveConfig = field(default_factory=CrossEntropy)
    optimizer: OptimizerConfig = field(default_factory=SGD)
    schedule: ScheduleConfig = field(default_factory=Cosine)
    averaging: AveragingConfig = field(default_factory=LastWeights)
    training: Training = field(default_factory=Training)
    recipe: str | None = field(default=None, compare=False, repr=False, kw_only=True, metadata=NOT_A_SETTING)

    def load_data(self, announce: Announce = lambda message: None, tokenizer: Tokenizer | None = None) -> Data:
        """Load the corpus, split it, train the tokenizer (or take the given one) and encode both splits.

        Raises:
            UserError: the corpus cannot be read, is too small, or has nothing to validate on.
        """
        corpus = self.corpus.load(announce)
        split = corpus.split()
        if not any(split.validation):
            raise UserError(
                f"all {len(split.validation):,} validation titles are empty, so there is nothing to score; "
                "use a corpus with more titles"
            )
        announce(f"{len(split.train):,} training and {len(split.validation):,} validation titles")
        for doubt in doubts(split):
            announce(doubt)
        if tokenizer is None:
            tokenizer = self.tokenizer.build(split)
        if self.model.titles is not None and self.model.titles.eos_id != tokenizer.eos_id:
            raise UserError(
                f"model.titles.eos_id = {self.model.titles.eos_id}, but <eos> has id {tokenizer.eos_id} in this "
                f"tokenizer; --set model.titles.eos_id={tokenizer.eos_id}"
            )
        validation_ids = tokenizer.encode_stream(split.validation)
        validation = Validation(validation_ids, char_count(split.validation), len(split.validation), tokenizer.eos_id)
        return Data(corpus, split, tokenizer, tokenizer.encode_stream(split.train), validation)

    def build_batches(self, data: Data) -> TrainingBatches:
        return self.batches.build(data.train_ids, data.tokenizer.eos_id, self.training.seed)

    def build_model(self, vocab_size: int, texts: Sequence[str] | None = None) -> GPTModel:
        """Return a freshly initialised model on the CPU, in training mode.

        Args:
            texts: of the tokens (`Tokenizer.texts`), for an embedding that reads them.
        """
        # the stock geometry is always scored, so rows of 128 must fit
        block_size = max(self.batches.block_size, STOCK_BLOCK_SIZE)
        return self.model.build(vocab_size, block_size, self.training.seed, texts)

    @property
    def passes_per_token(self) -> float:
        """Forward passes per training token, the mean over epochs; an int where it is whole."""
        epochs = self.training.epochs
        total = sum(self.objective.at(epoch).passes_per_token for epoch in range(1, epochs + 1))
        return total / epochs if total % epochs else total // epochs

    def step_flop(self, model: GPTModel) -> float:
        """Return the FLOPs of one training step: per target 6 per product parameter, plus attention's
        12 * layers * d_model * block (unmasked); times the passes per token."""
        b, m = self.batches, self.model
        per_target = 6 * n_matmul_parameters(model) + 12 * m.n_layer * m.d_model * b.block_size
        return float(per_target) * b.batch_size * b.block_size * self.passes_per_token

    def scoring_rows(self, data: Data) -> Rows:
        return self.batches.scoring_rows(data.validation.ids_N, data.validation.eos_id)
