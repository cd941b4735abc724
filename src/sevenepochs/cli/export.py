"""`export`."""

from __future__ import annotations

from typing import Annotated

from tyro.conf import arg

from sevenepochs.cli.console import console
from sevenepochs.cli.options import Folder, Positional, RunName, Runs
from sevenepochs.errors import UserError, nearest
from sevenepochs.export.folder import check_free


def export(run: Positional[RunName], to: Annotated[str, arg(metavar="hf|onnx")], out: Folder, *, runs: Runs) -> None:
    """Turn a finished run into an ONNX graph or transformers' GPT-2, logits checked against the run's own.

    Args:
        to: onnx for one graph from ids to logits, of every model; hf for a transformers folder, of GPT-2-shaped models.
        out: A new folder.
    """
    if to not in ("hf", "onnx"):
        raise UserError(f"--to {to!r} is no format{nearest(to, ['hf', 'onnx'])}")
    check_free(out)
    found = runs.find(run)
    if found.is_ensemble:
        raise UserError(f"{found.name} is an ensemble, which is several networks; export its members")

    from sevenepochs.ask.model import Model

    model = Model.load(found)
    if to == "hf":
        from sevenepochs.export.hf import export_hf as write
    else:
        from sevenepochs.export.onnx import export_onnx as write
    exported = write(model, out)
    console.print(f"{found.name}: {exported.target} in {exported.path}", soft_wrap=True)
    console.print(f"logits as the run's own to {exported.logit_difference:.1e}")
