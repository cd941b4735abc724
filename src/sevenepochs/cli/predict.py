"""`predict`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import tyro

from sevenepochs.cli.json_output import print_json
from sevenepochs.cli.options import Json, Positional, Runs, SvgFile, Titles, check_svg
from sevenepochs.errors import UserError

if TYPE_CHECKING:
    from sevenepochs.ask.model import Model
    from sevenepochs.data.corpus.base import CorpusConfig
    from sevenepochs.protocol.budget import Split
    from sevenepochs.store.run import Run


def predict(
    run: Positional[Annotated[str, tyro.conf.arg(metavar="RUN")]],
    text: Annotated[str | None, tyro.conf.arg(metavar="TEXT")] = None,
    at: Annotated[str | None, tyro.conf.arg(metavar="B,T")] = None,
    title: Annotated[int | None, tyro.conf.arg(metavar="N")] = None,
    against: Annotated[str | None, tyro.conf.arg(metavar="RUN")] = None,
    top_k: Annotated[int, tyro.conf.arg(metavar="K")] = 10,
    *,
    titles: Titles,
    runs: Runs,
    figure: SvgFile = None,
    json: Json = False,
) -> None:
    """Show what a model expects next: after a text, at a place of the validation text, or all along a title.

    Args:
        run: A run folder, its name's beginning or end, a recipe, `last`, or (with --at) a folder of results/.
        text: Predict what follows this text, e.g. "Show HN: A".
        at: Row B of the first stock validation window (64 rows of 128), its tokens 0 to T as context. The story
            shows 0,10 and 0,80.
        title: A validation title by number, from 0: every token with its surprisal and rank.
        against: A second run: where it gained or lost bits on the --title, or on --text read as a whole title.
        top_k: How many tokens to show.
        figure: Also draw the answer into this SVG (needs matplotlib).
    """
    check_svg(figure)
    found = _answer(run, text, at, title, against, top_k, titles.config(), runs)
    _show(found, json)
    if figure is not None:
        from sevenepochs.cli.one_figure import write_figure

        write_figure(_figure(found), figure)


def _answer(
    run: str,
    text: str | None,
    at: str | None,
    title: int | None,
    against: str | None,
    top_k: int,
    corpus: CorpusConfig | None,
    runs: Runs,
) -> dict[str, Any]:
    """From what is stored where that answers, else from the model."""
    if (text is not None) + (at is not None) + (title is not None) != 1:
        raise UserError('name one of --text "Show HN: A", --at 0,10 or --title 17')
    if top_k < 1:
        raise UserError(f"--top-k {top_k}: write 1 or more")
    if against is not None and at is not None:
        raise UserError("--against compares whole titles; use it with --title or --text")
    place = None if at is None else _place(at)
    from sevenepochs.store.results import is_result

    if is_result(Path(run)):
        return _published(Path(run), place, top_k)

    found = runs.find(run)
    if place is not None and corpus is None:
        from sevenepochs.questions.next_token import published_place

        if (stored := published_place(found.path, *place, top_k)) is not None:
            return {"run": found.name, **stored}
    other = None if against is None else runs.find(against)
    return _asked(found, other, text, place, title, top_k, corpus)


def _asked(
    run: Run,
    against: Run | None,
    text: str | None,
    place: tuple[int, int] | None,
    title: int | None,
    top_k: int,
    corpus: CorpusConfig | None,
) -> dict[str, Any]:
    """What the model itself answers."""
    from sevenepochs.ask import next_token
    from sevenepochs.ask.model import Model, one_thread

    one_thread()
    model = Model.load(run)
    if place is not None:
        ids = model.tokenizer.encode_stream(_titles(model, corpus).validation)
        return {"run": run.name, **next_token.at_place(model, ids, *place, top_k)}
    number: dict[str, Any] = {}
    if title is not None:
        titles = _titles(model, corpus).validation
        if not 0 <= title < len(titles):
            raise UserError(f"--title {title}: the validation titles are numbered 0 to {len(titles) - 1:,}")
        text, number = titles[title], {"title": title}
    assert text is not None, "one of the three is given"
    if against is not None:
        from sevenepochs.ask.next_token import on_one_title

        return {**number, **on_one_title(model, Model.load(against), text)}
    if title is not None:
        return {"run": run.name, **number, **next_token.read(model, text, top_k)}
    context = model.encode(text)
    model.check_fits(context)
    return {"run": run.name, **next_token.predict(model, context, top_k)}


def _titles(model: Model, corpus: CorpusConfig | None) -> Split:
    from sevenepochs.cli.console import errors

    return model.load_titles(corpus, lambda text: errors.print(text, style="dim", markup=False))


def _place(text: str) -> tuple[int, int]:
    row, _, position = text.partition(",")
    try:
        return int(row), int(position)
    except ValueError:
        raise UserError(f"--at {text!r}: write the row and the last token of the context, e.g. --at 0,10") from None


def _published(folder: Path, place: tuple[int, int] | None, k: int) -> dict[str, Any]:
    from sevenepochs.questions.next_token import published_place, published_places

    stored = None if place is None else published_place(folder, *place, k)
    if stored is None:
        held = ", ".join(f"--at {row},{position} --top-k {most}" for row, position, most in published_places(folder))
        raise UserError(
            f"{folder} holds results, not weights; it can answer {held or 'nothing'}; else name a run folder"
        )
    return {"run": folder.resolve().name, **stored}


def _figure(found: dict[str, Any]) -> str:
    from sevenepochs.questions import next_token

    if "segments" in found:
        return next_token.two_runs_figure(found)
    return next_token.title_figure(found) if "tokens" in found else next_token.place_figure(found, found["run"])


def _show(found: dict[str, Any], json: bool) -> None:
    if json:
        print_json(found)
        return
    from rich.text import Text

    from sevenepochs.cli.console import console
    from sevenepochs.metrics import format_metric
    from sevenepochs.questions import next_token
    from sevenepochs.questions.terminal import plain

    if "segments" in found:
        console.print(next_token.two_runs_view(found))
        return
    console.print(Text.assemble((found["run"], "bold"), _where(found)))
    if "tokens" in found:
        console.print(next_token.title_view(found))
        bits = format_metric("surprisal_bits", found["surprisal_bits"], unit=True)
        loss = format_metric("title_loss", found["nats_per_char"], unit=True)
        console.print(f"{bits} in all, {loss}; read alone after <eos>", style="dim")
        return
    console.print(Text.assemble(("context ", "dim"), plain(found["context"])), soft_wrap=True)
    console.print(next_token.place_view(found))


def _where(found: dict[str, Any]) -> str:
    if "row" in found:
        return f"  first stock validation window, row {found['row']}, tokens 0 to {found['position']}"
    return f"  validation title {found['title']}" if "title" in found else ""
