"""`make docs`: the generated parts of README.md, results/README.md and docs/, and their figures, from results/.

No number in those parts is typed. No torch.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from sevenepochs.comparison.anchors import read_anchors
from sevenepochs.comparison.ladder import Rung, ladders, published_losses
from sevenepochs.comparison.noise import SeedNoise, read_noises
from sevenepochs.metrics import METRICS, format_metric
from sevenepochs.protocol.budget import STOCK_BLOCK_SIZE
from sevenepochs.questions.registry import QUESTIONS
from sevenepochs.recipes.configs import called, named, unchanged
from sevenepochs.recipes.listing import LADDER, PUBLIC_BEST
from sevenepochs.report import performance, readme_figures, tables
from sevenepochs.report.ensembles import ensembles_table
from sevenepochs.report.fragments import minutes
from sevenepochs.report.ladder_section import ladder_section, proxy_check_section
from sevenepochs.report.markers import update_page, wrapped
from sevenepochs.report.techniques import techniques_section
from sevenepochs.store.choosing import by_titles, mean_exact, most_recipes, official_first, record
from sevenepochs.store.results import Result, list_results

STORY = ("baseline", "adamw", "rope")
# beside the record
FOR_THE_TIME = ("laptop_letters", "laptop_words_r_drop", "laptop_words", "laptop", "minutes_10", LADDER[0])
FIGURES = "docs/figures"


def sections(
    results: list[Result], rungs_of: dict[str, list[Rung]], noises: Sequence[SeedNoise] = ()
) -> dict[str, dict[str, str]]:
    """Return the generated Markdown by page (a path from the repository's root) and marker name. `rungs_of`: the ladder
    of each set of titles, as `docs_ladders` returns it; `noises`: of results/noise.json."""
    full = [result for result in results if not result.is_proxy]
    at_proxy = {result.titles for result in results if result.is_proxy}
    full_ladders = {titles: rungs for titles, rungs in rungs_of.items() if titles not in at_proxy}
    proxy_ladders = {titles: rungs for titles, rungs in rungs_of.items() if titles in at_proxy}
    return {
        "README.md": {"headline": headline(full), "times": times(full)},
        "results/README.md": {"results": table(full)},
        "docs/ladder.md": {"ladder": ladder_section(full_ladders, proxy_ladders)},
        "docs/looking-inside.md": looking_inside(full),
        "docs/ensembles.md": {"ensembles": ensembles_table(results) or "No ensemble is published yet."},
        "docs/choosing.md": {
            "proxy": proxy_check_section(unchanged(results)),
            "ladder": ladder_section(proxy_ladders),
            "techniques": techniques_section(results, noises),
        },
    }


def docs_ladders(results: list[Result], results_root: Path) -> dict[str, list[Rung]]:
    """Return the ladder of each set of titles, by the titles' hash; the rungs are judged by results/noise.json."""
    return ladders(LADDER, unchanged(results), published_losses, read_noises(results_root))


def update(root: Path, *, check: bool = False) -> bool:
    """Write what is generated below the repository `root`; with `check`, only return whether it is up to date. Raises
    UserError: markers are missing, a result is damaged, or matplotlib is not installed."""
    results_root = root / "results"
    results = list_results(results_root)
    rungs_of = docs_ladders(results, results_root)
    pages = {
        **sections(results, rungs_of, read_noises(results_root)),
        "docs/performance.md": performance.sections(results_root),
    }
    current = [update_page(root / page, parts, check=check) for page, parts in pages.items()]
    figures = {
        **readme_figures.figures(results, rungs_of, read_anchors(results_root)),
        **performance.figures(results_root),
    }
    for name, svg in figures.items():
        file = root / FIGURES / name
        current.append(file.is_file() and file.read_text(encoding="utf-8") == svg)
        if not check:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(svg, encoding="utf-8", newline="\n")
    return all(current)


def table(results: list[Result], expected: tuple[str, ...] = STORY) -> str:
    """Return one row per result, the story's recipes first; a recipe without a result is named as missing."""
    labels = (METRICS[name].label for name in tables.FIGURES)
    head = ["recipe", "seed", "corpus", *labels, "time", "machine", "commit"]
    rows = []
    for name in [*expected, *sorted({called(r) for r in results} - set(expected))]:
        runs = sorted((r for r in results if called(r) == name), key=lambda r: (r.corpus.name, r.seed))
        missing = [f"`{name}`", "missing: not run in full yet", *[""] * (len(head) - 2)]
        rows += list(map(_cells, runs)) or [missing]
    return "\n\n".join([tables.table(head, rows), *map(wrapped, _notes(results))])


def _cells(result: Result) -> list[str]:
    figures = result.figures.by_name()
    return [
        f"`{called(result)}`",
        str(result.seed),
        result.titles_name,
        *(format_metric(name, figures[name]) for name in tables.FIGURES),
        minutes(result),
        result.machine.words,
        result.commit_words,
    ]


def _notes(results: list[Result]) -> list[str]:
    """Return paragraphs: which certificates are broken, and how many looks at the validation titles a record had."""
    notes = []
    for result in results:
        if not result.is_clean:
            broken = ", ".join(result.broken or ["no certificate"])
            notes.append(f"`{result.name}` broke a rule of the protocol: {broken}.")
    for on_titles in by_titles(results).values():
        if not (seeds := record(on_titles)):
            continue
        first = seeds[0]
        several = f", {_mean(seeds)} on average over {len(seeds)} seeds" if len(seeds) > 1 else ""
        before = sum(r.created_utc < first.created_utc for r in on_titles)
        notes.append(
            f"Best recipe on {first.titles_name}: `{called(first)}`, "
            f"{format_metric('exact_val_loss', first.exact)} with seed {first.seed}{several}. "
            f"Published full runs that had looked at these validation titles before it: {before}."
        )
    return notes


def _mean(seeds: list[Result]) -> str:
    return format_metric("exact_val_loss", mean_exact(seeds))


def headline(results: list[Result]) -> str:
    """Return the result in two sentences: the record on the titles that most recipes were run on, beside the stock
    recipe and the best public one there. "" without a record or a stock run."""
    chosen = most_recipes(results)
    best, stock, public = record(chosen), _seeds(chosen, LADDER[0]), _seeds(chosen, PUBLIC_BEST)
    if not best or not stock:
        return ""
    recipe, n = called(best[0]), len(best)
    text = (
        f"The record recipe `{recipe}` reaches **{_mean(best)}** nats per character "
        f"({f'mean of {n} seeds' if n > 1 else 'one seed'}) on {best[0].corpus.split.n_validation:,} validation "
        f"titles, {_beside(best, stock)} the stock recipe ({_mean(stock)})"
    )
    if public and recipe != PUBLIC_BEST:
        of_record, of_public = (r.figures.exact_val_loss_stock_rows or r.exact for r in (best[0], public[0]))
        text += (
            f" and {_beside(best, public)} the best public recipe that keeps the rules ({_mean(public)}). That is "
            f"{_lower(mean_exact(best), mean_exact(public))}, and {_lower(of_record, of_public)} where both are scored "
            f"in the stock recipe's rows of {STOCK_BLOCK_SIZE} tokens"
        )
    return wrapped(f"{text}.")


def times(results: list[Result]) -> str:
    """Return a table of the record recipe and those made for a laptop, lowest loss first: exact loss, and minutes on
    a CPU and on a GPU. Counts the titles of `headline`, and runs whose configuration is the recipe's."""
    chosen = most_recipes(unchanged(results))
    recipes = [seeds for seeds in (record(chosen), *(_seeds(chosen, name) for name in FOR_THE_TIME)) if seeds]
    rows = [
        [f"`{seeds[0].recipe}`", _mean(seeds), *(_minutes_on(device, seeds) for device in ("cpu", "cuda"))]
        for seeds in sorted(recipes, key=mean_exact)
    ]
    return tables.table(["recipe", "exact loss", "on a CPU", "on a GPU"], rows) if rows else ""


def looking_inside(results: list[Result]) -> dict[str, str]:
    """Return the answers of all runs side by side, as a table per question that has one, by the question's name: one
    row per result with a published answer, the highest exact loss first."""
    sections = {}
    highest_first = sorted(results, key=lambda r: -r.exact)
    for question in QUESTIONS.values():
        if question.table is not None:
            files = [(r, r.path / "analysis" / f"{question.name}.json") for r in highest_first if r.path is not None]
            answered = [(result, file) for result, file in files if file.is_file()]
            head, *rows = question.table([json.loads(file.read_text(encoding="utf-8")) for _, file in answered])
            runs = (f"`{named(result)}`, {result.commit_words}" for result, _ in answered)
            cells = [[run, *row] for run, row in zip(runs, rows, strict=True)]
            sections[question.name] = tables.table(["run", *head], cells)
    return sections


def _seeds(results: Iterable[Result], name: str) -> list[Result]:
    """The clean results that are called `name`, the one that speaks for them first."""
    return official_first(result for result in results if called(result) == name and result.is_clean)


def _beside(seeds: Sequence[Result], others: Sequence[Result]) -> str:
    ratio = mean_exact(seeds) / mean_exact(others)
    return f"{format_metric('loss_reduction', abs(1 - ratio))} {'below' if ratio <= 1 else 'above'}"


def _lower(loss: float, other: float) -> str:
    size = format_metric("val_loss_half_width", abs(loss - other))
    return f"{size} {'lower' if loss <= other else 'higher'}"


def _minutes_on(device: str, seeds: Iterable[Result]) -> str:
    """How long the first of the seeds on that kind of device took, and on which; "-" where none was run there."""
    there = next((result for result in seeds if result.machine.device == device), None)
    return f"{minutes(there)} ({there.machine.words})" if there else "-"


if __name__ == "__main__":
    is_check = "--check" in sys.argv
    sys.exit(0 if update(Path(), check=is_check) or not is_check else 1)
