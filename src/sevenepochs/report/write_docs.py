"""`make docs`: what README.md and pages of docs/ have between markers, generated from results/ so that no number there
is typed; and their figures. No torch."""

from __future__ import annotations

import sys
from pathlib import Path

from sevenepochs.comparison.ladder import Rung, ladders, published_losses
from sevenepochs.comparison.noise import read_noises
from sevenepochs.metrics import format_metric
from sevenepochs.recipes.configs import called, unchanged
from sevenepochs.recipes.listing import LADDER, PUBLIC_BEST
from sevenepochs.report.fragments import minutes
from sevenepochs.report.ladder_section import ladder_section, proxy_check_section
from sevenepochs.report.ladder_table import markdown_line
from sevenepochs.report.looking_inside_tables import looking_inside_tables
from sevenepochs.report.markers import update_page
from sevenepochs.report.performance import draw_performance, update_performance
from sevenepochs.report.readme_figures import figures
from sevenepochs.store.choosing import by_titles, mean_exact, most_recipes, official_first, record
from sevenepochs.store.results import Result, list_results

STORY = ("baseline", "adamw", "rope")
FOR_A_LAPTOP = ("laptop_letters", "laptop_words")
_COLUMNS = (
    "exact_val_loss",
    "official_val_loss",
    "official_val_loss_own_geometry",
    "val_scored_fraction",
    "exact_val_bpc",
)


def table(results: list[Result], expected: tuple[str, ...] = STORY) -> str:
    """Markdown: one row a result, the story's recipes first; a recipe without a result is named as missing."""
    head = [
        "recipe",
        "seed",
        "corpus",
        "exact",
        "official 64x128",
        "official own",
        "scored",
        "bits/char",
        "time",
        "machine",
        "commit",
    ]
    lines = [markdown_line(head), markdown_line(["---"] * len(head))]
    names = [*expected, *sorted({called(r) for r in results} - set(expected))]
    for name in names:
        rows = [result for result in results if called(result) == name]
        for result in sorted(rows, key=lambda r: (r.corpus.name, r.seed)):
            lines.append(markdown_line(_cells(result)))
        if not rows:
            lines.append(markdown_line([f"`{name}`", "missing: not run in full yet", *[""] * (len(head) - 2)]))
    return "\n".join([*lines, *_notes(results)])


def _notes(results: list[Result]) -> list[str]:
    """Below the table: which certificates are broken, and how many looks at the validation titles a record had."""
    notes = []
    for result in results:
        if not result.is_clean:
            broken = ", ".join(result.broken or ["no certificate"])
            notes.append(f"`{result.name}` broke a rule of the protocol: {broken}.")
    for on_titles in by_titles(results).values():
        seeds = record(on_titles)
        if not seeds:
            continue
        first = seeds[0]
        before = sum(r.created_utc < first.created_utc for r in on_titles)
        notes.append(
            f"Best recipe on {first.titles_name}: `{called(first)}`, "
            f"{format_metric('exact_val_loss', first.exact)} with seed {first.seed}{_mean_of_several(seeds)}. "
            f"Published full runs that had looked at these validation titles before it: {before}."
        )
    return ["", *notes] if notes else []


def _mean_of_several(seeds: list[Result]) -> str:
    return f", {_mean(seeds)} on average over {len(seeds)} seeds" if len(seeds) > 1 else ""


def _mean(seeds: list[Result]) -> str:
    return format_metric("exact_val_loss", mean_exact(seeds))


def headline(results: list[Result]) -> str:
    """The answer in a sentence or two: the record on the titles that most recipes were run on, beside the stock recipe
    and the best public one there; "" without a record and a stock run."""
    chosen = most_recipes(results)
    best = record(chosen)
    stock, public = (
        official_first(r for r in chosen if called(r) == name and r.is_clean) for name in (LADDER[0], PUBLIC_BEST)
    )
    if not best or not stock:
        return ""
    recipe, n = called(best[0]), len(best)
    text = (
        f"So far: **{_mean(best)}** nats per character (`{recipe}`, {f'mean of {n} seeds' if n > 1 else 'one seed'}), "
        f"{format_metric('val_loss_ratio', mean_exact(best) / mean_exact(stock))} of the {_mean(stock)} that the "
        f'stock recipe reaches on the same titles ("{best[0].titles_name}", [results](#results)).'
    )
    if public:
        difference = _in_stock_rows(best[0]) - _in_stock_rows(public[0])
        text += (
            f" Our run of the best honest public recipe reaches {_mean(public)} there; scored in the same rows, "
            f"`{recipe}` differs from it by {format_metric('val_loss_difference', difference)}."
        )
    return text


def times(results: list[Result]) -> str:
    """How long the record recipe and those made for a laptop took, where they were run, on the headline's titles."""
    chosen = most_recipes(results)
    ofs = [record(chosen), *(official_first(r for r in chosen if called(r) == name) for name in FOR_A_LAPTOP)]
    took = [f"`{called(r)}` {minutes(r)} ({r.machine.words})" for r in (seeds[0] for seeds in ofs if seeds)]
    return f"Measured, evaluations and compilation included: {', '.join(took)}." if took else ""


def _in_stock_rows(result: Result) -> float:
    loss = result.figures.exact_val_loss_stock_rows
    return result.exact if loss is None else loss


def update(readme: Path, results_root: Path, *, check: bool = False) -> bool:
    """Rewrite what is generated in the README; with `check`, only say whether they are up to date.

    Raises:
        UserError: the results' markers are missing, or a result is damaged.
    """
    results = list_results(results_root)
    full, proxies = ([r for r in results if r.is_proxy is is_proxy] for is_proxy in (False, True))
    sections = {"results": table(full)}
    text = readme.read_text(encoding="utf-8")
    if "<!-- headline:start -->" in text:
        sections["headline"] = headline(full)
    if "<!-- times:start -->" in text:
        sections["times"] = times(full)
    if "<!-- ladder:start -->" in text:
        sections["ladder"] = ladder_section(_ladders(full, results_root), _ladders(proxies, results_root))
    return update_page(readme, sections, check=check)


def update_looking_inside(page: Path, results_root: Path, *, check: bool = False) -> bool:
    """The same for the tables of docs/looking-inside.md."""
    results = list_results(results_root)
    parts = looking_inside_tables(results)
    return update_page(page, parts, check=check)


def update_choosing(page: Path, results_root: Path, *, check: bool = False) -> bool:
    """The same for what docs/choosing.md says of the proxy, and for the ladder at its scale."""
    results = list_results(results_root)
    rungs_of = _ladders([r for r in results if r.is_proxy], results_root)
    parts = {"proxy": proxy_check_section(unchanged(results)), "ladder": ladder_section(rungs_of)}
    return update_page(page, parts, check=check)


def draw_figures(folder: Path, results_root: Path) -> list[Path]:
    """Draw the README's figures into a folder.

    Raises:
        UserError: matplotlib is not installed, or a result is damaged.
    """
    results = list_results(results_root)
    files = []
    for name, svg in figures(results, _ladders(results, results_root)).items():
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(svg, encoding="utf-8", newline="\n")
        files.append(folder / name)
    return files


def _ladders(results: list[Result], results_root: Path) -> dict[str, list[Rung]]:
    return ladders(LADDER, unchanged(results), published_losses, read_noises(results_root))


def _cells(result: Result) -> list[str]:
    figures = result.figures.by_name()
    return [
        f"`{called(result)}`",
        str(result.seed),
        result.titles_name,
        *(format_metric(column, figures[column]) for column in _COLUMNS),
        minutes(result),
        result.machine.words,
        result.commit_words,
    ]


if __name__ == "__main__":
    is_check = "--check" in sys.argv
    is_current = update(Path("README.md"), Path("results"), check=is_check)
    is_current &= update_looking_inside(Path("docs/looking-inside.md"), Path("results"), check=is_check)
    is_current &= update_choosing(Path("docs/choosing.md"), Path("results"), check=is_check)
    is_current &= update_performance(Path("docs/performance.md"), Path("results"), check=is_check)
    if not is_check:
        draw_figures(Path("docs/figures"), Path("results"))
        draw_performance(Path("docs/figures"), Path("results"))
    sys.exit(0 if is_current or not is_check else 1)
