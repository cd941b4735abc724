"""Models that GPT-2 cannot express: our tensors under their own names, and the code that runs them beside them."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sevenepochs.config import Config, kind_of
from sevenepochs.errors import UserError
from sevenepochs.export.tokenizer_files import special_ids
from sevenepochs.model.gpt import GPT
from sevenepochs.model.weights import model_tensors

if TYPE_CHECKING:
    from transformers import PreTrainedModel

    from sevenepochs.trained import TrainedRun

# Trained weights do not remember how they were drawn, and a trained embedding is a table (`reading_tensors`).
_FORGOTTEN = {"init", "embedding"}
_MODULE = "modeling_sevenepochs"
_AUTO_MAP = {
    "AutoConfig": f"{_MODULE}.SevenEpochsConfig",
    "AutoModelForCausalLM": f"{_MODULE}.SevenEpochsForCausalLM",
}


def to_custom(trained: TrainedRun) -> PreTrainedModel:
    """The trained weights in a SevenEpochsForCausalLM, in eval mode.

    Raises:
        UserError: a slot holds something that the exported code does not know.
    """
    import torch

    from sevenepochs.export.modeling_sevenepochs import SevenEpochsConfig, SevenEpochsForCausalLM

    _check_known(trained.experiment.model)
    config = SevenEpochsConfig(
        vocab_size=trained.model.vocab_size,
        block_size=trained.model.block_size,
        model=_remembered(trained.experiment.model),
        auto_map=_AUTO_MAP,
        **special_ids(trained.tokenizer),
    )
    model = SevenEpochsForCausalLM(config)
    model.load_state_dict({name: torch.from_numpy(array) for name, array in model_tensors(trained.model).items()})
    return model.eval()


def write_code(folder: Path) -> None:
    """modeling_sevenepochs.py; transformers runs it with trust_remote_code=True."""
    shutil.copyfile(Path(__file__).with_name(f"{_MODULE}.py"), folder / f"{_MODULE}.py")


def _check_known(model: GPT) -> None:
    from sevenepochs.export.modeling_sevenepochs import FIELDS

    for slot, config in [("model", model), *_slots(model)]:
        kind = kind_of(type(config))
        known = FIELDS.get(kind, set()) | (_FORGOTTEN if slot == "model" else set())
        unknown = [f"{slot}.{name}" for name in sorted(_settings(config) - known)]
        if kind not in FIELDS or unknown:
            what = ", ".join(unknown) if kind in FIELDS else f"{kind} in slot {slot}"
            raise UserError(
                f"--to hf: neither GPT-2 nor our code for transformers knows {what}; --to onnx takes every model"
            )


def _settings(config: Config) -> set[str]:
    """The fields that say something: an optional technique that is left at None or 0 changes nothing."""
    return {name for name, value in vars(config).items() if value is not None and value != 0.0}


def _slots(config: Config, prefix: str = "model") -> list[tuple[str, Config]]:
    inner = {f"{prefix}.{name}": value for name, value in vars(config).items() if isinstance(value, Config)}
    inner = {name: value for name, value in inner.items() if name.removeprefix("model.") not in _FORGOTTEN}
    return [pair for name, value in inner.items() for pair in [(name, value), *_slots(value, name)]]


def _remembered(model: GPT) -> dict[str, Any]:
    return {name: value for name, value in model.to_dict().items() if name not in _FORGOTTEN}
