"""`sample`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import tyro

from sevenepochs.cli.json_output import print_json
from sevenepochs.cli.options import Json, Positional, RunName, Runs, Titles

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rich.text import Text

    from sevenepochs.ask.model import Model
    from sevenepochs.ask.samples import Sample
    from sevenepochs.data.corpus.base import CorpusConfig

_FEW = 32  # titles at once; more of them are worth all threads


def sample(
    run: Positional[RunName],
    prompt: Annotated[str, tyro.conf.arg(metavar="TEXT")] = "",
    n: int = 10,
    temperature: float = 0.8,
    top_k: Annotated[int | None, tyro.conf.arg(metavar="K|None")] = 40,
    seed: int = 1,
    max_tokens: Annotated[int, tyro.conf.arg(metavar="N")] = 100,
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
    from collections import deque

    from sevenepochs.ask import samples
    from sevenepochs.ask.model import Model, one_thread
    from sevenepochs.cli.console import console

    drawing = samples.Drawing(temperature, top_k, seed, max_tokens)
    titles_from = titles.config()
    model = Model.load(runs.find(run))
    if n <= _FEW:
        one_thread()
    drawn = samples.draw(model, prompt, n, drawing)
    last = deque(drawn, maxlen=1).pop() if json else _stream(model, prompt, n, drawn)
    known, why_not = _training_titles(model, titles_from)
    found = samples.summarise(model, prompt, last, drawing, known)
    if json:
        print_json({**found, "not_checked": why_not})
        return
    if known is None:
        console.print(f"Whether they are training titles was not checked: {why_not}", style="yellow", markup=False)
    else:
        n_known = sum(row["is_training_title"] for row in found["samples"])
        console.print(
            f"{n_known} of {len(last)} are training titles word for word"
            f" (of {len(known):,}, as the run's own corpus has them).",
            style="dim",
        )


def _stream(model: Model, prompt: str, n: int, drawn: Iterator[list[Sample]]) -> list[Sample]:
    """Show titles as they grow where there is a terminal that holds them; else each one when it is done, in order."""
    from rich.live import Live
    from rich.text import Text

    from sevenepochs.cli.console import console

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
    for one in last[shown:]:  # those that were cut held the rest up
        console.print(_line(model, prompt, one), soft_wrap=True)
    return last


def _line(model: Model, prompt: str, one: Sample) -> Text:
    """The prompt, what was drawn, and a mark where the title did not end."""
    from rich.text import Text

    from sevenepochs.ask.samples import title
    from sevenepochs.questions.terminal import plain

    text, given = plain(title(model, prompt, one)), plain(prompt.strip())
    cut = len(given) if text.startswith(given) else 0
    return Text.assemble((text[:cut], "dim"), text[cut:], ("" if one.ended else " …", "dim"))


def _training_titles(model: Model, corpus: CorpusConfig | None) -> tuple[tuple[str, ...] | None, str | None]:
    """The run's training titles, or None and why they are not at hand; nothing is downloaded for it."""
    from sevenepochs.errors import UserError

    if corpus is not None:
        return model.load_titles(corpus).train, None
    if (missing := model.experiment.corpus.to_fetch()) is not None:
        return None, (
            f"they are not on this machine; fetch them with: sevenepochs corpus {missing}, "
            "or name a file that holds them with --corpus"
        )
    try:
        return model.load_titles().train, None
    except UserError as error:
        return None, str(error)
