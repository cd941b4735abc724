"""`compare`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal

import tyro

from sevenepochs.cli.json_output import print_json
from sevenepochs.cli.options import Folders, Json, Positional, Titles

if TYPE_CHECKING:
    from sevenepochs.comparison.compare import Pair
    from sevenepochs.comparison.paired_parts import Part

By = Annotated[
    tyro.conf.UseAppendAction[tuple[Literal["kind", "place"], ...]],
    tyro.conf.arg(help="Break the difference down by kind of title or by place in the title; may be repeated."),
]


def compare(
    names: Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="RUN RUN ...")]],
    by: By = (),
    *,
    titles: Titles,
    folders: Folders,
    json: Json = False,
) -> None:
    """Show runs side by side and pair them title by title; the first one is the reference.

    Args:
        names: Recipes (all their seeds), run folders, how their names begin or end, or folders of results/.
        by: Breakdowns.
    """
    from sevenepochs.cli.compare_views import pair_row, parts_table, print_figures, print_pair, row
    from sevenepochs.cli.console import console
    from sevenepochs.comparison.compare import compare as line_up
    from sevenepochs.comparison.compare import groups_to_compare, pair_groups
    from sevenepochs.comparison.find import select
    from sevenepochs.comparison.noise import read_noises
    from sevenepochs.comparison.title_losses import title_losses
    from sevenepochs.errors import UserError

    if len(names) < 2:
        raise UserError("compare needs at least two runs or results")
    inner = titles.config()
    named = [result for text in names for result in select(text, folders.runs, folders.results)]
    comparison = line_up(named)
    pairs: list[Pair] = []
    parts: list[list[Part]] = []
    unpaired: list[str] = []
    if comparison.comparable:
        first, *others = groups_to_compare(named)
        noises = read_noises(folders.results)
        for other in others:
            try:
                pair = pair_groups(first, other, lambda result: title_losses(result, inner), noises)
            except UserError as error:
                unpaired.append(f"{other.name}: {error}")
                continue
            pairs.append(pair)
            parts.append(_parts(pair, by, inner))
    if json:
        data = {
            "comparable": comparison.comparable,
            "results": [row(comparison, result) for result in comparison.results],
            "pairs": [pair_row(pair, found) for pair, found in zip(pairs, parts, strict=True)],
            "unpaired": unpaired,
        }
        print_json(data)
        return
    print_figures(comparison)
    if not comparison.comparable:
        console.print("Not comparable: these runs were validated on different titles.", style="red")
    for pair, found in zip(pairs, parts, strict=True):
        print_pair(pair)
        if found:
            console.print(parts_table(found))
            note = "Intervals are simultaneous: all kinds' hold together with 95 %, and so do all places'."
            console.print(note, style="dim")
    for line in unpaired:
        console.print(f"\nnot paired: {line}", style="yellow", markup=False)


def _parts(pair: Pair, by: tuple[str, ...], corpus: Any) -> list[Part]:
    from sevenepochs.comparison.paired_parts import by_kind, by_place
    from sevenepochs.comparison.title_losses import title_losses, validation_titles
    from sevenepochs.errors import UserError

    found = []
    if "kind" in by:
        sides = zip(*((title_losses(a, corpus), title_losses(b, corpus)) for a, b in pair.runs), strict=True)
        first, second = (list(side) for side in sides)
        found += by_kind(first, second)
    if "place" in by:
        run = pair.runs[0][0].run
        if run is None:
            raise UserError("--by place needs run folders; published results have no losses by token")
        found += by_place(pair, validation_titles(run, corpus))
    return found
