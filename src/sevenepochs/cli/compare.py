"""`compare`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from sevenepochs.cli.options import Folder, Positional

if TYPE_CHECKING:
    from rich.table import Table

    from sevenepochs.analysis.compare import Comparison
    from sevenepochs.results_folder import Result


def compare(
    runs: Positional[Annotated[tuple[str, ...], tyro.conf.arg(metavar="RUN RUN ...")]],
    folder: Folder = Path("runs"),
    json: bool = False,
) -> None:
    """Show runs side by side; the first one is the reference.

    Args:
        runs: Run folders, parts of their names, or folders of results/.
        folder: Where run folders are.
        json: Print JSON.
    """
    import json as json_module

    from sevenepochs.analysis.compare import compare as line_up
    from sevenepochs.cli.console import console

    comparison = line_up([_result(text, folder) for text in runs])
    if json:
        rows = [
            {
                "name": result.name,
                "figures": result.figures,
                "rows": result.facts["rows"],
                "difference": comparison.difference(result),
                "ratio": comparison.ratio(result),
                "certificate_clean": result.facts["certificate_clean"],
            }
            for result in comparison.results
        ]
        print(json_module.dumps({"comparable": comparison.comparable, "results": rows}, indent=1))
        return
    console.print(_table(comparison))
    if comparison.comparable:
        console.print(
            "One run each: whether a difference is more than the seed's doing, this table cannot tell.", style="dim"
        )
    else:
        console.print("Not comparable: these runs were validated on different titles.", style="red")


def _table(comparison: Comparison) -> Table:
    from rich.table import Table

    from sevenepochs.metrics import METRICS, format_metric

    table = Table(box=None, pad_edge=False)
    names = [name for name in METRICS if any(name in r.figures for r in comparison.results)]
    for column in ("run", *(METRICS[name].label for name in names), "difference", "ratio", "rows", "certificate"):
        table.add_column(column, justify="left" if column in ("run", "rows", "certificate") else "right")
    for result in comparison.results:
        difference, ratio = comparison.difference(result), comparison.ratio(result)
        is_reference = result is comparison.reference
        table.add_row(
            result.name,
            *(format_metric(name, result.figures.get(name)) for name in names),
            "reference" if is_reference else ("-" if difference is None else f"{difference:+.4f}"),
            "" if is_reference else ("-" if ratio is None else f"{ratio:.4f}"),
            str(result.facts["rows"]),
            "clean"
            if result.facts["certificate_clean"]
            else f"broken: {', '.join(result.facts['certificate_broken'] or ['?'])}",
        )
    return table


def _result(text: str, folder: Path) -> Result:
    from sevenepochs.results_folder import Result, result_of
    from sevenepochs.run_folder import find_run

    if (Path(text) / "result.json").is_file():
        return Result.read(Path(text))
    return result_of(find_run(text, folder))
