"""The ONNX graph: free batch and length, our logits, nothing about this machine."""

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from sevenepochs.errors import UserError
from sevenepochs.export import onnx as export
from sevenepochs.export.probe import TOLERANCE, probe_rows
from sevenepochs.model.norm import RMSNorm
from sevenepochs.model.position import Rope
from sevenepochs.model.titles import Titles

SHAPES = {
    "stock": {"model.n_layer": 1},
    "rope": {"model.n_layer": 1, "model.norm": RMSNorm(), "model.attention.rotary": Rope()},
    "titles": {"model.n_layer": 1, "model.titles": Titles(), "model.attention.rotary": Rope()},
}


@pytest.mark.parametrize("name", SHAPES)
def test_logits_at_other_batches_and_lengths(name: str, drawn, tiny, tmp_path: Path) -> None:
    import onnxruntime

    trained = drawn(tiny.replace_all(SHAPES[name]))
    exported = export.export_onnx(trained, tmp_path / "out")
    assert exported.logit_difference <= TOLERANCE
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"model.onnx", "tokenizer.json", "README.md"}
    session = onnxruntime.InferenceSession(str(tmp_path / "out" / "model.onnx"))
    for shape in ((1, 1), (1, 128), (5, 3), (7, 77)):
        ids = np.arange(np.prod(shape)).reshape(shape) % trained.network.vocab_size
        (logits,) = session.run(["logits"], {"input_ids": ids})
        with torch.no_grad():
            expected = trained.network.logits(trained.network(torch.from_numpy(ids))).numpy()
        np.testing.assert_allclose(logits, expected, atol=TOLERANCE, rtol=0)
    content = b"".join(p.read_bytes() for p in (tmp_path / "out").iterdir())
    assert str(Path(export.__file__).parents[2]).encode() not in content and b"stack_trace" not in content
    assert str(Path(torch.__file__).parent).encode() not in content and str(tmp_path).encode() not in content


def test_a_graph_that_is_not_the_model_is_refused(drawn, tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "_write_graph", lambda model, path: path.write_bytes(b""))
    monkeypatch.setattr(export, "_runtime", lambda path: lambda x_BT: torch.zeros(*x_BT.shape, 300))
    with pytest.raises(UserError, match="logit differs by"):
        export.export_onnx(drawn(tiny), tmp_path / "out")
    assert list(tmp_path.iterdir()) == []


def test_a_graph_that_lost_its_titles_is_refused(drawn, tiny, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # of a large vocabulary chance alone would draw no `<eos>`
    assert sum(int((x_BT == 1).sum()) for x_BT in probe_rows(16_000, 128, 1)) > 50
    masked = drawn(tiny.replace("model.titles", Titles()))
    monkeypatch.setattr(export, "_write_graph", lambda model, path: path.write_bytes(b""))

    @torch.no_grad()
    def without_titles(x_BT):
        masked.network.titles, titles = None, masked.network.titles
        try:
            return masked.network.logits(masked.network(x_BT))
        finally:
            masked.network.titles = titles

    monkeypatch.setattr(export, "_runtime", lambda path: without_titles)
    with pytest.raises(UserError, match="logit differs by"):
        export.export_onnx(masked, tmp_path / "out")


def test_missing_packages_are_named_before_any_work(drawn, tiny, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r'onnx, onnxscript, onnxruntime: pip install -e "\.\[export\]"'):
        export.export_onnx(drawn(tiny), tmp_path / "out")


# Installed by a finder that comes before all others: the example may not import us or torch.
_REFUSE_OURS = """import sys

class Refuse:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("sevenepochs", "torch", "transformers"):
            raise ImportError(f"the example imports {name}")

sys.meta_path.insert(0, Refuse())
"""


def test_the_page_of_docs_reads_the_folder_without_torch(drawn, tiny, tmp_path: Path) -> None:
    page = Path(__file__).parents[2] / "docs" / "export.md"
    (code,) = re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.S)
    assert code.count("\n") <= 12
    export.export_onnx(drawn(tiny.replace_all(SHAPES["titles"])), tmp_path / "model")
    done = subprocess.run(
        [sys.executable, "-c", _REFUSE_OURS + code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "Show HN:" in done.stdout
