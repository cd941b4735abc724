"""`export`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro

from sevenepochs.cli.options import Folder, Positional, RunName


def export(
    run: Positional[RunName],
    to: Annotated[str, tyro.conf.arg(metavar="hf|onnx")],
    out: Folder,
    load: Folder | None = None,
    runs: Folder = Path("runs"),
) -> None:
    """Turn a finished run into an ONNX graph or transformers' GPT-2, logits checked against the run's own.

    Args:
        run: A run folder, its name's beginning or end, a recipe, or `last`.
        to: onnx for one graph from ids to logits, of every model; hf for a transformers folder, of GPT-2-shaped models.
        out: A new folder.
        load: A Python file with the run's own recipe classes, if it has any.
        runs: Where run folders are.
    """
    from sevenepochs.cli.console import console
    from sevenepochs.errors import UserError, nearest
    from sevenepochs.export.folder import check_free
    from sevenepochs.recipes.catalog import import_file
    from sevenepochs.store.run import find_run

    if to not in ("hf", "onnx"):
        raise UserError(f"--to {to!r} is no format{nearest(to, ['hf', 'onnx'])}")
    check_free(out)
    if load is not None:
        import_file(load)
    found = find_run(run, runs)

    from sevenepochs.ask.trained import load_trained

    trained = load_trained(found)
    if to == "hf":
        from sevenepochs.export.hf import export_hf

        exported = export_hf(trained, out)
    else:
        from sevenepochs.export.onnx import export_onnx

        exported = export_onnx(trained, out)
    console.print(f"{found.name}: {exported.target} in {exported.path}", soft_wrap=True)
    console.print(f"logits as the run's own to {exported.logit_difference:.1e}")
