"""A model at its full size, freshly drawn: the exports repeat its logits."""

from pathlib import Path

import pytest
import torch

from sevenepochs.ask.model import Model
from sevenepochs.export.hf import export_hf
from sevenepochs.export.onnx import export_onnx
from sevenepochs.export.probe import TOLERANCE
from sevenepochs.recipes.catalog import load_recipe
from sevenepochs.store.run import Run


@pytest.mark.long
@pytest.mark.parametrize("recipe", ["rope", "adamw"])
def test_a_full_size_model_is_exported(recipe: str, finished_run: Run, tmp_path: Path) -> None:
    experiment = load_recipe(recipe)
    torch.manual_seed(5)
    model = experiment.build_model(16_000).eval()
    assert sum(parameter.numel() for parameter in model.parameters()) > 20_000_000
    trained = Model(finished_run, experiment, Model.load(finished_run).tokenizer, model)
    exports = {"onnx": export_onnx} if recipe == "rope" else {"onnx": export_onnx, "hf": export_hf}
    for name, export in exports.items():
        exported = export(trained, tmp_path / name)
        assert exported.logit_difference <= TOLERANCE
        assert sum(file.stat().st_size for file in (tmp_path / name).iterdir()) > 80_000_000
