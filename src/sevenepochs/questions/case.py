"""A finished run with its corpus, and what several analyses need of it: each part is computed once, when asked for."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from sevenepochs.ask.model import Model
from sevenepochs.ask.predictions import Predictions, Progress, predict_stream
from sevenepochs.data.corpus.base import Announce, CorpusConfig
from sevenepochs.errors import UserError
from sevenepochs.experiment import Data
from sevenepochs.protocol.rows import Rows
from sevenepochs.questions.stream import PairTable, Targets, targets
from sevenepochs.store.run import Run, layout


@dataclass(frozen=True)
class Case:
    """A finished run, its model and its titles. `progress` is told how far a slow analysis is."""

    run: Run
    model: Model
    data: Data
    progress: Progress = field(default=lambda done, total: None, compare=False)

    @classmethod
    def open(
        cls,
        run: Run,
        corpus: CorpusConfig | None = None,
        announce: Announce = lambda message: None,
        progress: Progress = lambda done, total: None,
    ) -> Case:
        """Load the run's model and its titles. Arguments and errors are those of `registry.analyze`."""
        model = Model.load(run)
        return cls(run, model, model.load_data(corpus, announce), progress)

    @property
    def ids_N(self) -> np.ndarray:
        """The validation stream."""
        return self.data.validation.ids_N

    @cached_property
    def log_probs_N(self) -> np.ndarray:
        """ln p of each target as the run's final evaluation left them: behind its exact loss, to the last bit."""
        log_probs_N = self.run.load_tensors(layout.TITLE_LOSSES)[layout.LOG_PROBS]
        if len(log_probs_N) != len(self.ids_N):
            raise UserError(
                f"run {self.run.name} has losses of {len(log_probs_N):,} tokens, its corpus gives {len(self.ids_N):,}; "
                "pass the corpus that the run was validated on with --corpus"
            )
        return log_probs_N

    @cached_property
    def rows(self) -> Rows:
        """The rows of the run's exact metric."""
        return self.model.experiment.scoring_rows(self.data)

    @cached_property
    def where(self) -> Targets:
        """The title that each target belongs to."""
        return targets(self.ids_N, self.model.eos_id, self.data.split.validation)

    @cached_property
    def pairs(self) -> PairTable:
        """Token pairs and frequencies of the training stream."""
        return PairTable.count(self.data.train_ids, self.model.vocab_size, self.model.eos_id)

    @cached_property
    def observed(self) -> Predictions:
        """The pass over validation: a forward pass of the whole stream, the one costly thing here."""
        scored = self.data.scored
        return predict_stream(
            self.model.distributions, scored.ids_N, scored.eos_id, self.rows, self.pairs.frequencies_V, self.progress
        )
