"""An experiment: one Config per slot. Everything is put together here and nowhere else."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from sevenepochs.config import NOT_A_SETTING, Config
from sevenepochs.data.batches import BatchesConfig, TrainingBatches
from sevenepochs.data.batches.stream import Stream
from sevenepochs.data.corpus.base import Announce, Corpus, CorpusConfig, Floor
from sevenepochs.data.corpus.describe import doubts
from sevenepochs.data.corpus.fingerprint import fingerprint
from sevenepochs.data.corpus.hub import HubCorpus
from sevenepochs.data.facts import FactTable, TitleFacts, opened
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
from sevenepochs.store.run import Run, layout, storage


def facts_of(run: Run, experiment: Experiment) -> FactTable | None:
    """Return the facts' values that a run knows; None where its model is told none. Raises UserError: the file is
    damaged."""
    if experiment.model.facts is None:
        return None
    with storage.damage(f"{layout.FACTS} of run {run.name}", "put it back from a copy"):
        return FactTable.from_json(json.loads(run.read_text(layout.FACTS)))


class Data(NamedTuple):
    """A corpus prepared for one experiment: titles, tokenizer, the two id streams (int32), and the titles' facts where
    the model is told any."""

    corpus: Corpus
    split: Split
    tokenizer: Tokenizer
    train_ids: np.ndarray
    validation: Validation
    facts: TitleFacts | None = None

    @property
    def scored(self) -> Validation:
        """`validation` as a scorer is given it: with each title's own facts, where there are any."""
        return self.validation if self.facts is None else self.told(self.facts.codes[1])

    def told(self, codes_N: np.ndarray) -> Validation:
        """Return `validation` with these codes of facts (data/facts.py) as its titles'."""
        ids_N, eos_id, vocab_size = self.validation.ids_N, self.validation.eos_id, self.tokenizer.vocab_size
        told_N, first = opened(ids_N, eos_id, vocab_size, codes_N, self.split.validation)
        return self.validation._replace(ids_N=told_N, eos_id=first)

    def floor(self) -> Floor | None:
        """Return the floor on the validation titles for a model that is told what this one is told; None where nobody
        knows it (every real corpus)."""
        is_told = self.corpus.floor_of is not None and self.facts is not None and "url" in self.facts.table.columns
        return self.corpus.floor(self.split.validation, self.corpus.facts("url").validation if is_told else None)

    def fingerprint(self) -> dict[str, Any]:
        """Return `fingerprint` of the split, and the facts' hash where there are any."""
        facts = {} if self.facts is None else {"facts_sha256": self.facts.sha256}
        return {**fingerprint(self.split), **facts}


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

    def load_data(
        self,
        announce: Announce = lambda message: None,
        tokenizer: Tokenizer | None = None,
        facts: FactTable | None = None,
    ) -> Data:
        """Load the corpus, split it, train the tokenizer and count the facts (or take the given ones), encode both
        splits.

        Raises:
            UserError: the corpus cannot be read, is too small, has nothing to validate on, or not these facts.
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
        slot = self.model.facts
        of_titles = None if slot is None else TitleFacts.read(corpus, slot.columns, slot.size, facts)
        return Data(corpus, split, tokenizer, tokenizer.encode_stream(split.train), validation, of_titles)

    def build_batches(self, data: Data) -> TrainingBatches:
        ids, eos_id, seed = data.train_ids, data.tokenizer.eos_id, self.training.seed
        if data.facts is None:
            return self.batches.build(ids, eos_id, seed)
        told, first = opened(ids, eos_id, data.tokenizer.vocab_size, data.facts.codes[0], data.split.train)
        return self.batches.build_with_facts(ids, eos_id, seed, np.concatenate(([first], told[:-1])))

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
