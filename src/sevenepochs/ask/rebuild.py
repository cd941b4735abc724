"""A run's network, rebuilt from the run folder alone; no corpus is needed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch.nn import init
from torch.overrides import TorchFunctionMode

from sevenepochs.ask.mixture import MixtureNetwork
from sevenepochs.data.tokenizer.base import Tokenizer
from sevenepochs.errors import UserError, command
from sevenepochs.experiment import Experiment
from sevenepochs.model.embedding import Table
from sevenepochs.model.gpt import GPTModel
from sevenepochs.model.init import InitConfig
from sevenepochs.model.weights import from_snapshot, load_model_tensors
from sevenepochs.store.run import Run, layout
from sevenepochs.store.run.storage import Tensors


def rebuild(run: Run, step: int | None) -> tuple[Experiment, Tokenizer, GPTModel]:
    """Return what config.json, tokenizer.json and the weights of a run make: of its end, or of a snapshot's step. Of an
    ensemble they are its first member's, and all members' networks as one.

    Raises:
        UserError: there are no such weights, a file is missing or corrupt, the config names a class that is not
            loaded, or the members of an ensemble are not there or cut titles into different tokens.
    """
    if run.is_ensemble:
        members = run.members()
        if run.is_by_words:
            names = ", ".join(member.name for member in members)
            raise UserError(f"the members of {run.name} cut titles into different tokens; ask one of them: {names}")
        first, *rest = [rebuild(member, step) for member in members]
        networks = [network for *_, network in (first, *rest)]
        return *first[:2], MixtureNetwork(networks, list(members.values())).eval()
    tensors, where = _final_weights(run) if step is None else _snapshot_weights(run, step)
    experiment = Experiment.from_dict(run.config)
    tokenizer = Tokenizer(run.read_text(layout.TOKENIZER), f"{layout.TOKENIZER} of run {run.name}")
    with _NothingDrawn():
        as_kept = experiment.replace_all({"model.init": Unset(), "model.embedding": Table()})  # `reading_tensors`
        network = as_kept.build_model(tokenizer.vocab_size)
    load_model_tensors(network, tensors, f"{where} of run {run.name}")
    return experiment, tokenizer, network.eval()


def _final_weights(run: Run) -> tuple[Tensors, str]:
    if run.state != "complete":
        advice = "wait for it" if run.state == "running" else f"resume it: {command('resume', run.path)}"
        raise UserError(f"run {run.name} ({run.state}) has no weights yet; {advice}")
    return run.load_model_tensors(), layout.MODEL


def _snapshot_weights(run: Run, step: int) -> tuple[Tensors, str]:
    steps = run.snapshot_steps()
    if step not in steps:
        kept = ", ".join(f"{kept:,}" for kept in steps) or "none (training.snapshots was off)"
        raise UserError(f"run {run.name} kept no weights of step {step:,}; it has those of {kept}")
    return from_snapshot(run.load_snapshot(step)), layout.snapshot(step)


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
