"""`--to hf`: a folder that transformers loads as GPT-2. Models of another shape go to ONNX (onnx.py)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sevenepochs.ask.model import Model
from sevenepochs.errors import UserError
from sevenepochs.export.card import model_card
from sevenepochs.export.exported import Exported
from sevenepochs.export.folder import check_free, new_folder
from sevenepochs.export.packages import require
from sevenepochs.export.probe import check_logits
from sevenepochs.export.tokenizer_files import special_ids, write_tokenizer, write_tokenizer_config

_USAGE = """```python
from transformers import AutoModelForCausalLM, AutoTokenizer

tokenizer = AutoTokenizer.from_pretrained("FOLDER")
model = AutoModelForCausalLM.from_pretrained("FOLDER")
ids = tokenizer("<eos>Show HN:", return_tensors="pt")
print(tokenizer.decode(model.generate(**ids)[0]))
```
"""


def export_hf(trained: Model, out: Path) -> Exported:
    """Write config, weights (safetensors), tokenizer, generation config, model card; check the loaded model's logits.

    Raises:
        UserError: the model is not GPT-2-shaped, transformers is not installed, `out` is taken or cannot be written,
            or the exported logits differ from ours.
    """
    from sevenepochs.export.gpt2 import not_gpt2, to_gpt2

    other = not_gpt2(trained.experiment.model)
    if other:
        raise UserError(f"--to hf writes GPT-2, which has no such {', '.join(other)} as this model; use --to onnx")
    require("transformers")
    check_free(out)
    with _quiet(), new_folder(out) as folder:
        exported = to_gpt2(trained)
        exported.generation_config = _generation_config(trained)
        exported.save_pretrained(folder)
        (folder / "model.safetensors").chmod((folder / "config.json").stat().st_mode)  # it comes readable by us alone
        write_tokenizer(trained.tokenizer, folder)
        write_tokenizer_config(trained.tokenizer, trained.network.block_size, folder)
        difference = check_logits(
            trained.network, trained.tokenizer.eos_id, _logits_of(type(exported), folder), "the transformers folder"
        )
        facts = Exported(out, "transformers, GPT-2", difference)
        (folder / "README.md").write_text(model_card(trained, facts, _USAGE), encoding="utf-8")
    return facts


def _logits_of(model_class: Any, folder: Path) -> Callable[[Tensor], Tensor]:
    """The model as a user gets it: read from the folder."""
    loaded = model_class.from_pretrained(folder, dtype=torch.float32, local_files_only=True).eval()

    def logits(x_BT: Tensor) -> Tensor:
        result: Tensor = loaded(input_ids=x_BT).logits
        return result

    return logits


def _generation_config(trained: Model) -> Any:
    from transformers import GenerationConfig

    # sampled: the likeliest continuation of a headline says little about the model
    ids = special_ids(trained.tokenizer)
    return GenerationConfig(do_sample=True, max_length=trained.network.block_size, **ids)


@contextmanager
def _quiet() -> Iterator[None]:
    """No progress bars or advice from transformers while a verb of ours prints."""
    from transformers.utils import logging as hf_logging

    level = hf_logging.get_verbosity()
    bars = hf_logging.is_progress_bar_enabled()
    hf_logging.set_verbosity(logging.ERROR)
    hf_logging.disable_progress_bar()
    try:
        yield
    finally:
        hf_logging.set_verbosity(level)
        if bars:
            hf_logging.enable_progress_bar()
