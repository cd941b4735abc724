"""`predict`, `inside` and `sample`: a model asked for its expectations, its insides and titles of its own."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from rich.live import Live
from rich.progress import track
from rich.text import Text
from tyro.conf import arg

from sevenepochs.cli.console import console, errors, note, print_json, write_figure
from sevenepochs.cli.options import File, Json, Number, Positional, RunName, Runs, Titles, Told, check_svg, told
from sevenepochs.data.corpus.base import CorpusConfig
from sevenepochs.errors import UserError
from sevenepochs.metrics import format_metric
from sevenepochs.questions import inside as inside_views
from sevenepochs.questions import next_token
from sevenepochs.questions.terminal import plain
from sevenepochs.store.results import is_result
from sevenepochs.store.run import Run

if TYPE_CHECKING:
    from sevenepochs.ask.model import Model
    from sevenepochs.ask.samples import Sample

_Text = Annotated[str | None, arg(metavar="TEXT")]
_FEW = 32  # titles at once; more of them are worth all threads
_TopK = Annotated[int, arg(metavar="K")]
_View = Literal["attention", "lens", "neighbours", "time"]
_Place = Annotated[str | None, arg(metavar="B,T")]
_Run = Annotated[str | None, arg(metavar="RUN")]


def predict(
    run: Positional[Annotated[str, arg(metavar="RUN")]],
    text: _Text = None,
    at: _Place = None,
    title: Number = None,
    against: _Run = None,
    top_k: _TopK = 10,
    facts: Told = (),
    *,
    titles: Titles,
    runs: Runs,
    figure: File = None,
    json: Json = False,
) -> None:
    """Show what a model expects next: after a text, at a place of the validation text, or all along a title.

    Args:
        run: A run folder, its name's beginning or end, a recipe, `last`, or (with --at) a folder of results/.
        text: Predict what follows this text, e.g. "Show HN: A".
        at: Row B of the first stock validation window (64 rows of 128 tokens), with its tokens 0 to T as context,
            e.g. 0,10.
        title: A validation title by number, from 0: every token with its surprisal and rank.
        against: A second run: where it gained or lost bits on the --title, or on --text read as a whole title. It alone
            is told the --facts, so that a run against itself shows what they are worth.
        top_k: How many tokens to show.
        figure: Also draw the answer into this SVG (needs matplotlib).
    """
    check_svg(figure)
    corpus = titles.config()
    if (text is not None) + (at is not None) + (title is not None) != 1:
        raise UserError('name one of --text "Show HN: A", --at 0,10 or --title 17')
    if top_k < 1:
        raise UserError(f"--top-k {top_k}: write 1 or more")
    if against is not None and at is not None:
        raise UserError("--against compares whole titles; use it with --title or --text")
    if facts and (at is not None or is_result(Path(run))):
        raise UserError("--facts are told to a run, about a --title or --text")
    place = None if at is None else _place(at)
    if is_result(Path(run)):
        if corpus is not None:
            raise UserError(f"{run} holds results, which answer from what they hold; leave --corpus out")
        found = _published(Path(run), place, top_k)
    elif place is not None:
        found = _at_place(runs.find(run), place, top_k, corpus)
    else:
        second = None if against is None else runs.find(against)
        found = _along(runs.find(run), second, text, title, top_k, corpus, told(facts))
    if json:
        print_json(found)
    else:
        _print(found)
    if figure is not None:
        write_figure(_figure(found), figure)


def _place(text: str) -> tuple[int, int]:
    row, _, position = text.partition(",")
    try:
        return int(row), int(position)
    except ValueError:
        raise UserError(f"--at {text!r}: write the row and the last token of the context, e.g. --at 0,10") from None


def _published(folder: Path, place: tuple[int, int] | None, k: int) -> dict[str, Any]:
    stored = None if place is None else next_token.published_place(folder, *place, k)
    if stored is None:
        places = next_token.published_places(folder)
        held = ", ".join(f"--at {row},{position} --top-k {most}" for row, position, most in places)
        raise UserError(
            f"{folder} holds results, not weights; it can answer {held or 'nothing'}; else name a run folder"
        )
    return {"run": folder.resolve().name, **stored}


def _at_place(run: Run, place: tuple[int, int], top_k: int, corpus: CorpusConfig | None) -> dict[str, Any]:
    """From the run's analyses where they hold the place, else from the model."""
    stored = next_token.published_place(run.path, *place, top_k) if corpus is None else None
    if stored is None:
        from sevenepochs.ask.next_token import at_place

        model = _model(run)
        titles = model.load_titles(corpus, note)
        stored = at_place(model, model.tokenizer.encode_stream(titles.validation), *place, top_k)
    return {"run": run.name, **stored}


def _along(
    run: Run,
    second: Run | None,
    text: str | None,
    title: int | None,
    top_k: int,
    corpus: CorpusConfig | None,
    facts: dict[str, str],
) -> dict[str, Any]:
    from sevenepochs.ask.next_token import on_one_title, predict, read

    if run.is_by_words and text is not None and second is None:
        return {"run": run.name, **_next_words(run, text, top_k)}
    model = _model(run)
    model = model.given(facts) if second is None else model
    number: dict[str, Any] = {}
    if title is not None:
        titles = model.load_titles(corpus, note).validation
        if not 0 <= title < len(titles):
            raise UserError(f"--title {title}: the validation titles are numbered 0 to {len(titles) - 1:,}")
        text, number = titles[title], {"title": title}
    assert text is not None, "the caller has checked that one of the two is given"
    if second is not None:
        return {**number, **on_one_title(model, _model(second).given(facts), text)}
    if title is not None:
        return {"run": run.name, **number, **read(model, text, top_k)}
    context = model.encode(text)
    model.check_fits(context)
    return {"run": run.name, **predict(model, context, top_k)}


def _next_words(run: Run, text: str, top_k: int) -> dict[str, Any]:
    from sevenepochs.ask.words import predict_words

    members = run.members()
    return predict_words([_model(member) for member in members], list(members.values()), text, top_k)


def _model(run: Run) -> Model:
    from sevenepochs.ask.model import Model, one_thread

    one_thread()
    return Model.load(run)


def _figure(found: dict[str, Any]) -> str:
    if "segments" in found:
        return next_token.two_runs_figure(found)
    if "tokens" in found:
        return next_token.title_figure(found)
    return next_token.place_figure(found, found["run"])


def _print(found: dict[str, Any]) -> None:
    if "segments" in found:
        console.print(next_token.two_runs_view(found))
        return
    where = f"  validation title {found['title']}" if "title" in found else ""
    if "row" in found:
        where = f"  first stock validation window, row {found['row']}, tokens 0 to {found['position']}"
    console.print(Text.assemble((found["run"], "bold"), where))
    if "tokens" in found:
        console.print(next_token.title_view(found))
        bits = format_metric("surprisal_bits", found["surprisal_bits"], unit=True)
        loss = format_metric("title_loss", found["nats_per_char"], unit=True)
        console.print(f"{bits} in all, {loss}; read alone after <eos>", style="dim")
    else:
        console.print(Text.assemble(("context ", "dim"), plain(found["context"])), soft_wrap=True)
        console.print(next_token.place_view(found))


def inside(
    run: Positional[RunName],
    text: _Text = None,
    view: _View = "attention",
    layer: Number = None,
    head: Number = None,
    token: Annotated[str | None, arg(metavar="WORD")] = None,
    top_k: _TopK = 10,
    *,
    runs: Runs,
    figure: File = None,
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
    if (text is None) == (token is None):
        raise UserError(
            'name the text to read with --text "Show HN: A"' + (", or one token with --token" * (view == "neighbours"))
        )
    if top_k < 1:
        raise UserError(f"--top-k {top_k}: write 1 or more")
    if (layer is not None or head is not None) and (view != "attention" or layer is None or head is None):
        raise UserError("--layer and --head go together and belong to --view attention")
    found = _ask(runs.find(run), view, text or "", token, top_k)
    one = None if layer is None or head is None else (layer, head)
    if one is not None:
        _check_head(found, *one)
    views = {
        "attention": inside_views.attention_view,
        "lens": inside_views.lens_view,
        "neighbours": inside_views.neighbours_view,
        "time": inside_views.time_view,
    }
    figures = {
        "lens": inside_views.lens_figure,
        "neighbours": inside_views.neighbours_figure,
        "time": inside_views.time_figure,
    }
    if figure is not None:
        if view == "attention":
            shown = [one] if one is not None else [(row["layer"], row["head"]) for row in found["heads"]]
            write_figure(inside_views.attention_figure(found, shown), figure)
        else:
            write_figure(figures[view](found), figure)
    if json:
        print_json(found)
    else:
        console.print(views[view](found) if one is None else inside_views.map_view(found, *one))


def _ask(run: Run, view: _View, text: str, token: str | None, top_k: int) -> dict[str, Any]:
    from sevenepochs.ask import inside

    if view == "time":
        n = len(run.snapshot_steps())
        return inside.through_time(run, text, lambda each: track(each, "reading snapshots", total=n, console=errors))
    model = _model(run)
    if view == "attention":
        return inside.attention_maps(model, text)
    if view == "lens":
        return inside.logit_lens(model, text, top_k)
    ids = [inside.token_id(model, token)] if token is not None else model.encode(text)[1:].tolist()
    if not ids:
        raise UserError("--text holds no token whose neighbours could be shown; write a word")
    return {"run": model.name, "tokens": [inside.neighbours(model, id, top_k) for id in dict.fromkeys(ids)]}


def _check_head(found: dict[str, Any], layer: int, head: int) -> None:
    n_layer, n_head = len(found["weights"]), len(found["weights"][0])
    if not (1 <= layer <= n_layer and 1 <= head <= n_head):
        raise UserError(
            f"this model has layers 1 to {n_layer} and heads 1 to {n_head}, no head {head} in layer {layer}"
        )


def sample(
    run: Positional[RunName],
    prompt: Annotated[str, arg(metavar="TEXT")] = "",
    n: int = 10,
    temperature: float = 0.8,
    top_k: Annotated[int | None, arg(metavar="K|None")] = 40,
    seed: int = 1,
    max_tokens: Annotated[int, arg(metavar="N")] = 100,
    facts: Told = (),
    *,
    titles: Titles,
    runs: Runs,
    json: Json = False,
) -> None:
    """Let a model make up titles, and say how many of them are training titles word for word.

    The model is small: what it writes can be false or offensive, and means nothing.

    Args:
        prompt: How every title begins, e.g. "Ask HN:".
        n: How many titles.
        temperature: Below 1 likelier tokens gain, above 1 they lose; 0 always takes the likeliest.
        top_k: Draw from the likeliest K tokens; None from all.
        seed: The same seed gives the same titles.
        max_tokens: A title that has not ended by then is cut.
    """
    from sevenepochs.ask import samples
    from sevenepochs.ask.model import Model, one_thread

    drawing = samples.Drawing(temperature, top_k, seed, max_tokens)
    corpus = titles.config()
    model = Model.load(runs.find(run)).given(told(facts))
    if n <= _FEW:
        one_thread()
    drawn = samples.draw(model, prompt, n, drawing)
    last = deque(drawn, maxlen=1).pop() if json else _stream(model, prompt, n, drawn)
    known, why_not = _training_titles(model, corpus)
    found = samples.summarise(model, prompt, last, drawing, known)
    if json:
        print_json({**found, "not_checked": why_not})
    elif known is None:
        console.print(f"Whether they are training titles was not checked: {why_not}", style="yellow", markup=False)
    else:
        n_known = sum(row["is_training_title"] for row in found["samples"])
        among = f"(of {len(known):,}, as the run's own corpus has them)"
        console.print(f"{n_known} of {len(last)} are training titles word for word {among}.", style="dim")


def _stream(model: Model, prompt: str, n: int, drawn: Iterator[list[Sample]]) -> list[Sample]:
    """Print titles as they grow on a terminal that holds them; elsewhere each one when it is done, in order."""
    last: list[Sample] = []
    if console.is_terminal and n < console.height:  # lines that have scrolled away cannot grow
        with Live(console=console, refresh_per_second=15, vertical_overflow="visible") as live:
            for last in drawn:
                live.update(Text("\n").join(_line(model, prompt, one) for one in last if one.ids or one.ended))
        return last
    shown = 0
    for last in drawn:
        while shown < len(last) and last[shown].ended:
            console.print(_line(model, prompt, last[shown]), soft_wrap=True)
            shown += 1
    for one in last[shown:]:  # those behind a title that was cut
        console.print(_line(model, prompt, one), soft_wrap=True)
    return last


def _line(model: Model, prompt: str, one: Sample) -> Text:
    from sevenepochs.ask.samples import title

    text, given = plain(title(model, prompt, one)), plain(prompt.strip())
    cut = len(given) if text.startswith(given) else 0
    return Text.assemble((text[:cut], "dim"), text[cut:], ("" if one.ended else " …", "dim"))


def _training_titles(model: Model, corpus: CorpusConfig | None) -> tuple[tuple[str, ...] | None, str | None]:
    """The run's training titles, or None and why they are not at hand; nothing is downloaded for it."""
    if corpus is not None:
        return model.load_titles(corpus).train, None
    if (missing := model.experiment.corpus.to_fetch()) is not None:
        fetch = f"fetch them with: sevenepochs corpus {missing}, or name a file that holds them with --corpus"
        return None, f"they are not on this machine; {fetch}"
    try:
        return model.load_titles().train, None
    except UserError as error:
        return None, str(error)
