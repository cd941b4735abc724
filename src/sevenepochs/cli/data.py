"""`data`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from sevenepochs.cli.json_output import print_json
from sevenepochs.cli.options import Json, OptionalFolder, Positional, Runs, Titles

if TYPE_CHECKING:
    from sevenepochs.data.corpus.base import CorpusConfig
    from sevenepochs.data.tokenizer.base import Tokenizer
    from sevenepochs.protocol.budget import Split


def data(
    run: Positional[Annotated[str | None, tyro.conf.arg(metavar="RUN")]] = None,
    *,
    titles: Titles,
    runs: Runs,
    figures: OptionalFolder = None,
    json: Json = False,
) -> None:
    """Show what a model reads: frequent words and tokens, lengths, kinds of titles, the share of `<eos>`.

    Only training titles are counted. Without a RUN the titles are cut by the stock tokenizer, with one by its own.
    Without a RUN and --corpus they are the embedded sample's.

    Args:
        run: A run folder, its name's beginning or end, a recipe, or `last`; its tokenizer and, unless --corpus says
            otherwise, its titles.
        figures: Also write the figures to this folder (needs matplotlib).
    """
    from sevenepochs.cli.console import console, errors
    from sevenepochs.questions.data import analyze, view

    split, tokenizer = _read(run, titles.config(), runs)
    content = analyze(split.train, tokenizer, tokenizer.encode_stream(split.train))
    if json:
        print_json(content)
    else:
        console.print(view(content))
    if figures is not None:
        _draw(content, figures)
        errors.print(f"figures are in {figures}", style="dim", soft_wrap=True)


def _read(run: str | None, named: CorpusConfig | None, runs: Runs) -> tuple[Split, Tokenizer]:
    from sevenepochs.data.corpus.base import CorpusConfig
    from sevenepochs.data.corpus.of_run import check_at_hand
    from sevenepochs.data.corpus.sample import SampleCorpus
    from sevenepochs.data.tokenizer.base import Tokenizer
    from sevenepochs.data.tokenizer.trained import BPE
    from sevenepochs.store.run import layout

    if run is None:
        split = (named or SampleCorpus()).load().split()
        return split, BPE().build(split)
    found = runs.find(run)
    config = named or CorpusConfig.from_dict(found.config["corpus"])
    check_at_hand(found, config)
    return config.load().split(), Tokenizer(found.read_text(layout.TOKENIZER))


def _draw(content: dict[str, object], folder: Path) -> None:
    from sevenepochs.questions.data import DATA
    from sevenepochs.store.run.storage import disk_errors

    drawn = DATA.figures(content)
    with disk_errors(f"figures to {folder}", "name another folder"):
        folder.mkdir(parents=True, exist_ok=True)
        for file, svg in drawn.items():
            (folder / file).write_text(svg, encoding="utf-8", newline="\n")
