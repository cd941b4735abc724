"""`export`."""

from __future__ import annotations

from typing import Annotated

import tyro

from sevenepochs.cli.options import Folder, Positional, RunName, Runs


def export(
    run: Positional[RunName],
    to: Annotated[str, tyro.conf.arg(metavar="hf|onnx")],
    out: Folder,
    *,
    runs: Runs,
) -> None:
    """Turn a finished run into an ONNX graph or transformers' GPT-2, logits checked against the run's own.

    Args:
        to: onnx for one graph from ids to logits, of every model; hf for a transformers folder, of GPT-2-shaped models.
        out: A new folder.
    """
    from sevenepochs.cli.console import console
    from sevenepochs.errors import UserError, nearest
    from sevenepochs.export.folder import check_free

    if to not in ("hf", "onnx"):
        raise UserError(f"--to {to!r} is no format{nearest(to, ['hf', 'onnx'])}")
    check_free(out)
    found = runs.find(run)

    from sevenepochs.ask.model import Model

    trained = Model.load(found)
    if to == "hf":
        from sevenepochs.export.hf import export_hf

        exported = export_hf(trained, out)
    else:
        from sevenepochs.export.onnx import export_onnx

        exported = export_onnx(trained, out)
    console.print(f"{found.name}: {exported.target} in {exported.path}", soft_wrap=True)
    console.print(f"logits as the run's own to {exported.logit_difference:.1e}")
