"""A finished run's model, ready to be asked: rebuilt from the run folder alone, no corpus needed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import init
from torch.overrides import TorchFunctionMode

from sevenepochs.data.corpus.base import CorpusConfig
from sevenepochs.data.corpus.development import moved
from sevenepochs.data.corpus.fingerprint import check_same_titles, fingerprint
from sevenepochs.data.corpus.of_run import check_at_hand
from sevenepochs.data.tokenizer.base import Tokenizer
from sevenepochs.errors import UserError, command
from sevenepochs.experiment import Data, Experiment
from sevenepochs.model.embedding.table import Table
from sevenepochs.model.gpt import GPTModel
from sevenepochs.model.init import InitConfig
from sevenepochs.model.weights import from_snapshot, load_model_tensors
from sevenepochs.protocol.budget import Split
from sevenepochs.store.run import Run, layout
from sevenepochs.store.run.storage import Tensors


@dataclass(frozen=True)
class TrainedRun:
    """What a run made: `model` holds its final weights (an embedding table), in fp32 on the CPU and in eval mode."""

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
        place = self.experiment.corpus if corpus is None else corpus
        if same_titles:
            place = moved(self.experiment.corpus, place)
        check_at_hand(self.run, place)
        experiment = self.experiment.replace("corpus", place)
        data = experiment.load_data(announce, self.tokenizer)
        if same_titles:
            check_same_titles(self.run, fingerprint(data.split))
        return data

    def load_titles(
        self, corpus: CorpusConfig | None = None, announce: Callable[[str], None] = lambda message: None
    ) -> Split:
        """The run's own training and validation titles as text: seconds less than `load_data`, which encodes them.

        Raises:
            UserError: the corpus cannot be read, or is another one.
        """
        own = self.experiment.corpus
        place = moved(own, corpus or own)
        check_at_hand(self.run, place)
        split = place.load(announce).split()
        check_same_titles(self.run, fingerprint(split))
        return split


def load_trained(run: Run) -> TrainedRun:
    """Rebuild the model from config.json, tokenizer.json and model.safetensors.

    Raises:
        UserError: the run is not complete, a file is missing or corrupt, or its config names a class that is not
            loaded.
    """
    if run.state != "complete":
        advice = "wait for it" if run.state == "running" else f"resume it: {command('resume', run.path)}"
        raise UserError(f"run {run.name} ({run.state}) has no weights yet; {advice}")
    return rebuild(run, run.load_model_tensors(), f"{layout.MODEL} of run {run.name}")


def load_snapshot(run: Run, step: int) -> TrainedRun:
    """The run's model as it was after a step, up to the rounding of matrices to bf16; the run need not be complete.

    Raises:
        UserError: the run kept no weights of that step, or a file is missing or corrupt.
    """
    steps = run.snapshot_steps()
    if step not in steps:
        kept = ", ".join(f"{kept:,}" for kept in steps) or "none (training.snapshots was off)"
        raise UserError(f"run {run.name} kept no weights of step {step:,}; it has those of {kept}")
    return rebuild(run, from_snapshot(run.load_snapshot(step)), f"{layout.snapshot(step)} of run {run.name}")


def rebuild(run: Run, tensors: Tensors, where: str) -> TrainedRun:
    """The run's model with these weights.

    Args:
        where: what the weights came from, for the message when they do not fit.
    """
    experiment = Experiment.from_dict(run.config)
    tokenizer = Tokenizer(run.read_text(layout.TOKENIZER), f"{layout.TOKENIZER} of run {run.name}")
    with _NothingDrawn():
        as_kept = experiment.replace_all({"model.init": Unset(), "model.embedding": Table()})  # `reading_tensors`
        model = as_kept.build_model(tokenizer.vocab_size)
    load_model_tensors(model, tensors, where)
    return TrainedRun(run, experiment, tokenizer, model.eval())


@dataclass(frozen=True)
class Unset(InitConfig):
    """No initialisation: the weights come from a file. Drawing 27 million numbers takes longer than reading them."""

    def apply(self, model: nn.Module, seed: int) -> None:
        pass


class _NothingDrawn(TorchFunctionMode):
    """Parameters are not drawn while modules are built (in this thread only); all of them are loaded afterwards."""

    _DRAWS = frozenset(
        {torch.Tensor.uniform_, torch.Tensor.normal_, init.uniform_, init.normal_, init.kaiming_uniform_}
    )

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        drawn = args[0] if args else (kwargs or {}).get("tensor")
        if func in self._DRAWS and isinstance(drawn, nn.Parameter):
            return drawn
        return func(*args, **(kwargs or {}))
