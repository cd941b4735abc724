"""`inside`."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import tyro

from sevenepochs.cli.json_output import print_json
from sevenepochs.cli.options import Json, Positional, RunName, Runs, SvgFile, check_svg
from sevenepochs.errors import UserError

View = Literal["attention", "lens", "neighbours", "time"]


def inside(
    run: Positional[RunName],
    text: Annotated[str | None, tyro.conf.arg(metavar="TEXT")] = None,
    view: View = "attention",
    layer: Annotated[int | None, tyro.conf.arg(metavar="N")] = None,
    head: Annotated[int | None, tyro.conf.arg(metavar="N")] = None,
    token: Annotated[str | None, tyro.conf.arg(metavar="WORD")] = None,
    top_k: Annotated[int, tyro.conf.arg(metavar="K")] = 10,
    *,
    runs: Runs,
    figure: SvgFile = None,
    json: Json = False,
) -> None:
    """Look inside a model while it reads a text: where heads look, what each layer would answer, how it was learned.

    Args:
        text: The text to read, e.g. "Show HN: A".
        view: attention (where each head looks), lens (each layer's answer), neighbours (nearest tokens of the
            embedding), time (the title's loss at each snapshot; needs a run with training.snapshots=true).
        layer: With --head: one head's whole map, from 1.
        head: With --layer: one head's whole map, from 1.
        token: With --view neighbours: one token; else each token of --text.
        top_k: How many neighbours or answers.
        figure: Also draw the answer into this SVG (needs matplotlib); every head, or the one of --layer and --head.
    """
    check_svg(figure)
    if token is not None and view != "neighbours":
        raise UserError("--token belongs to --view neighbours")
    if text is None and token is None:
        raise UserError('name the text to read with --text "Show HN: A"' + (" or --token" * (view == "neighbours")))
    if top_k < 1:
        raise UserError(f"--top-k {top_k}: write 1 or more")
    if (layer is not None or head is not None) and (view != "attention" or layer is None or head is None):
        raise UserError("--layer and --head go together and belong to --view attention")
    found_run = runs.find(run)
    from sevenepochs.ask.model import one_thread

    one_thread()
    found = _time(found_run, text or "") if view == "time" else _ask(found_run, view, text, token, top_k)
    if layer is not None and head is not None:
        _check_head(found, layer, head)
    if figure is not None:
        from sevenepochs.cli.one_figure import write_figure

        write_figure(_figure(found, view, layer, head), figure)
    if json:
        print_json(found)
        return
    from sevenepochs.cli.console import console
    from sevenepochs.questions import inside as shown

    if layer is not None and head is not None:
        console.print(shown.map_view(found, layer, head))
    else:
        views = {"attention": shown.attention_view, "lens": shown.lens_view, "neighbours": shown.neighbours_view}
        console.print({**views, "time": shown.time_view}[view](found))


def _figure(found: dict[str, Any], view: View, layer: int | None, head: int | None) -> str:
    from sevenepochs.questions import inside as shown

    if view == "attention":
        every = [(row["layer"], row["head"]) for row in found["heads"]]
        return shown.attention_figure(found, every if layer is None or head is None else [(layer, head)])
    draw = {"lens": shown.lens_figure, "neighbours": shown.neighbours_figure, "time": shown.time_figure}[view]
    return draw(found)


def _ask(run: Any, view: View, text: str | None, token: str | None, top_k: int) -> dict[str, Any]:
    from sevenepochs.ask.inside import attention_maps, logit_lens, neighbours, token_id
    from sevenepochs.ask.model import Model

    model = Model.load(run)
    if view == "attention":
        return attention_maps(model, text or "")
    if view == "lens":
        return logit_lens(model, text or "", top_k)
    ids = [token_id(model, token)] if token is not None else model.encode(text or "")[1:].tolist()
    if not ids:
        raise UserError("--text holds no token whose neighbours could be shown; write a word")
    return {"run": model.name, "tokens": [neighbours(model, id, top_k) for id in dict.fromkeys(ids)]}


def _time(run: Any, text: str) -> dict[str, Any]:
    from rich.progress import track

    from sevenepochs.ask.inside import through_time
    from sevenepochs.cli.console import errors

    steps = run.snapshot_steps()
    return through_time(run, text, lambda each: track(each, "reading snapshots", total=len(steps), console=errors))


def _check_head(found: dict[str, Any], layer: int, head: int) -> None:
    n_layer, n_head = len(found["weights"]), len(found["weights"][0])
    if not (1 <= layer <= n_layer and 1 <= head <= n_head):
        raise UserError(
            f"this model has layers 1 to {n_layer} and heads 1 to {n_head}, no head {head} in layer {layer}"
        )
