"""A finished run's model, ready to be asked: rebuilt from the run folder alone, no corpus needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sevenepochs.corpus.base import CorpusConfig
from sevenepochs.corpus.fingerprint import fingerprint
from sevenepochs.errors import UserError
from sevenepochs.experiment import Data, Experiment
from sevenepochs.model.gpt import GPTModel
from sevenepochs.model.weights import load_model_tensors
from sevenepochs.run_folder import Run, layout
from sevenepochs.tokenizer.base import Tokenizer


@dataclass(frozen=True)
class TrainedRun:
    """What a run made: `model` holds its final weights, in fp32 on the CPU and in eval mode."""

    run: Run
    experiment: Experiment
    tokenizer: Tokenizer
    model: GPTModel

    def load_data(
        self,
        corpus: CorpusConfig | None = None,
        announce: Callable[[str], None] = lambda message: None,
        *,
        same_titles: bool = True,
    ) -> Data:
        """Titles encoded with the run's own tokenizer.

        Args:
            corpus: None for the one that the run's config names.
            same_titles: refuse titles other than those that the run was trained and validated on.

        Raises:
            UserError: the corpus cannot be read, or is another one.
        """
        experiment = self.experiment if corpus is None else self.experiment.replace("corpus", corpus)
        data = experiment.load_data(announce, self.tokenizer)
        if same_titles:
            check_same_titles(self.run, data)
        return data


def load_trained(run: Run) -> TrainedRun:
    """Rebuild the model from config.json, tokenizer.json and model.safetensors.

    Raises:
        UserError: the run is not complete, a file is missing or corrupt, or its config names a class that is not
            loaded.
    """
    if run.state != "complete":
        advice = "wait for it" if run.state == "running" else f"resume it: sevenepochs resume {run.name}"
        raise UserError(f"run {run.name} ({run.state}) has no weights yet; {advice}")
    experiment = Experiment.from_dict(run.config)
    tokenizer = Tokenizer(run.read_text(layout.TOKENIZER))
    model = experiment.build_model(tokenizer.vocab_size)
    load_model_tensors(model, run.load_model_tensors(), f"{layout.MODEL} of run {run.name}")
    return TrainedRun(run, experiment, tokenizer, model.eval())


def check_same_titles(run: Run, data: Data) -> None:
    """Raise a UserError unless the data's split is the one that the run was started on."""
    if fingerprint(data.split) != run.corpus.get("split"):
        raise UserError(
            f"run {run.name} was started on other titles than this corpus gives; pass its own with --corpus"
        )
