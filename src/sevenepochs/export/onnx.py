"""`--to onnx`: one graph from ids to logits, batch and length free, checked with onnxruntime.

B batch, T position in the row, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from sevenepochs.ask.model import Model
from sevenepochs.export.card import model_card
from sevenepochs.export.folder import Exported, new_folder, quiet, require
from sevenepochs.export.probe import check_logits
from sevenepochs.model.gpt import GPTModel

MODEL = "model.onnx"
_USAGE = f"""```python
import numpy as np
import onnxruntime
from tokenizers import Tokenizer

tokenizer = Tokenizer.from_file("FOLDER/tokenizer.json")
session = onnxruntime.InferenceSession("FOLDER/{MODEL}")
ids = np.array([tokenizer.encode("<eos>Show HN:").ids])
(logits,) = session.run(["logits"], {{"input_ids": ids}})
print(tokenizer.decode([int(logits[0, -1].argmax())]))
```
"""


class Logits(nn.Module):
    """Ids to logits in one call, as in the graph."""

    def __init__(self, network: GPTModel) -> None:
        super().__init__()
        self.model = network  # its name is in the graph's names of weights

    def forward(self, input_ids: Tensor) -> Tensor:
        return self.model.logits(self.model(input_ids))


def export_onnx(model: Model, out: Path) -> Exported:
    """Write model.onnx (input_ids int64 (B, T) -> logits fp32 (B, T, V)), tokenizer.json and a model card.

    Raises:
        UserError: a package is missing, `out` is taken or cannot be written, or the exported logits differ from ours.
    """
    require("onnx", "onnxscript", "onnxruntime")
    with new_folder(out) as folder:
        _write_graph(model.network, folder / MODEL)
        (folder / "tokenizer.json").write_bytes(model.tokenizer.json.encode())
        difference = check_logits(model.network, model.eos_id, _runtime(folder / MODEL), "the ONNX graph")
        facts = Exported(out, "ONNX", difference)
        (folder / "README.md").write_text(model_card(model, facts, _USAGE, library="onnx"), encoding="utf-8")
    return facts


def _write_graph(network: GPTModel, path: Path) -> None:
    example_BT = torch.zeros(2, min(5, network.block_size), dtype=torch.int64)
    length = torch.export.Dim("length", max=network.block_size)
    with quiet():
        program = torch.onnx.export(
            Logits(network).eval(),
            (example_BT,),
            input_names=["input_ids"],
            output_names=["logits"],
            dynamic_shapes={"input_ids": {0: torch.export.Dim("batch"), 1: length}},
            dynamo=True,
        )
    assert program is not None, "the exporter returns a program when it is given no file"
    proto = program.model_proto
    _forget_where(proto)
    path.write_bytes(proto.SerializeToString())


def _forget_where(proto: Any) -> None:
    """Delete the exporter's notes: at each node the lines of source that it comes from, with this machine's folders."""
    nodes = (node for function in proto.functions for node in function.node)
    for part in (proto, proto.graph, *proto.graph.node, *proto.graph.value_info, *proto.functions, *nodes):
        del part.metadata_props[:]
        part.doc_string = ""


def _runtime(path: Path) -> Callable[[Tensor], Tensor]:
    import onnxruntime

    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])

    def logits(x_BT: Tensor) -> Tensor:
        (logits_BTV,) = session.run(["logits"], {"input_ids": x_BT.numpy()})
        return torch.from_numpy(logits_BTV)

    return logits
