"""The report's sources: a complete MyST project, written from results. `build.py` makes the site of it.

Prose is in the repository's site/ as Jinja templates. What they may say is in `_values` and `_functions`; a name that
does not exist there stops the build. Same results, same bytes. No torch.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any

from sevenepochs.errors import UserError
from sevenepochs.metrics import format_metric
from sevenepochs.questions.registry import QUESTIONS
from sevenepochs.recipes.configs import unchanged
from sevenepochs.report import fragments, tables
from sevenepochs.report.bibliography import bibliography
from sevenepochs.report.cells import CELLS
from sevenepochs.report.chapter import Chapters, loss_curves
from sevenepochs.report.config_diff import config_diff, n_changes
from sevenepochs.report.context import worth_table
from sevenepochs.report.ensembles import ensembles_table
from sevenepochs.report.excerpt import excerpt
from sevenepochs.report.headlines import headlines
from sevenepochs.report.inputs import Published
from sevenepochs.report.ladder_section import ladder_section, longest, proxy_words, recipes_table, steps_table
from sevenepochs.report.negatives import log_months, negatives
from sevenepochs.report.notebooks import Notebook, read_notebooks, shipped_folder
from sevenepochs.report.readme_figures import frontier
from sevenepochs.report.story import Story
from sevenepochs.report.tail_drop import tail_drop
from sevenepochs.report.verdict import verdict
from sevenepochs.report.where_loss import kinds_tables, sentences
from sevenepochs.store.results import Result

# The scoring source whose causality check did not see a model that reads its own target (docs/log, 27 November 2026).
_BLIND_TO_ITS_TARGET = "3c199e90dc1dc9167163262e9343033bd8d7e85ed0d6004ab82e6a73359795dd"


def write_sources(results: Sequence[Result], target_dir: Path, *, notebooks: Path | None = None) -> None:
    """Write the MyST project of a report.

    Args:
        results: as `inputs.collect` returns them.
        target_dir: a folder that does not exist yet or is empty.
        notebooks: executed .ipynb files; None for the project's own.

    Raises:
        UserError: no result, a broken one, a notebook that cannot be used, or a folder that holds something.
    """
    if target_dir.exists() and any(target_dir.iterdir()):
        raise UserError(f"{target_dir} is not empty; name a new folder")
    story = Story.of(results)
    found = read_notebooks(notebooks or shipped_folder("notebooks"), Chapters(story, "results"))
    templates = shipped_folder("site")
    log = log_months()
    files = {f"downloads/log/{month}.md.txt": text for month, text in log.items()}
    files |= {f"notebooks/{notebook.name}.ipynb": notebook.text for notebook in found}
    files["references.bib"] = references = (templates / "references.bib").read_text(encoding="utf-8")
    downloads = {p.result.name: _downloads(p) for p in (*story.everything, *story.proxies, *story.elsewhere)}
    for result, texts in downloads.items():
        files |= {f"downloads/{result}/{name}": text for name, text in texts.items()}
    values = _values(story, found, log, references)
    values["downloads"] = [{"result": result, "files": sorted(texts)} for result, texts in downloads.items()]
    files |= _render(templates, values | _functions(story, found, files))
    for name, text in files.items():
        file = target_dir / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")


def _render(templates: Path, names: dict[str, Any]) -> dict[str, str]:
    """The pages, and the project file with their order, by file. `names`: what templates may use."""
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.globals.update(names)
    files = {}
    for template in (*sorted(templates.glob("[!_]*.md")), templates / "myst.yml"):
        try:
            files[template.name] = environment.get_template(template.name).render()
        except jinja2.TemplateError as error:
            raise UserError(f"site/{template.name} cannot be filled in: {error}") from None
    return files


def _functions(story: Story, notebooks: list[Notebook], files: dict[str, str]) -> dict[str, Callable[..., Any]]:
    """Functions for templates. A run is named by its part or its recipe; figures that are drawn go to `files`."""
    labels = {label for notebook in notebooks for label in notebook.labels}

    def of(function: Callable[..., Any]) -> Callable[..., Any]:
        """Let templates name runs where the function takes them."""
        return lambda *names: function(*(story.run(name) if isinstance(name, str) else name for name in names))

    def figure(label: str, caption: str) -> str:
        if label not in labels:
            raise UserError(f"a page embeds the cell {label}, which no notebook has")
        return _figure(f"#{label}", label, CELLS[label].alt, caption)

    def drawn(name: str, svg: str | None, alt: str, caption: str, source: str) -> str:
        if not svg:
            return ""
        files[f"figures/{name}.svg"] = svg
        return _figure(f"figures/{name}.svg", name, alt, f"{caption}\n\nSource: {source}")

    def curve(*names: str, caption: str) -> str:
        """Loss curves of the runs that there are. The evaluation after one step would press the others together."""
        runs = {story.recipe(name): run for name in names if (run := story.run(name))}
        if not runs:
            return ""
        shown = loss_curves(list(runs.values()), first_step=2, lines=story.anchors)
        sources = ", ".join(f"[{name}](downloads/{run.result.name}/curve.csv)" for name, run in runs.items())
        alt = f"Line chart: {shown.text}"
        return drawn(f"loss-{'-'.join(runs)}", shown.svg, alt, caption, f"curves of {sources}")

    def frontier_of_all(caption: str) -> str:
        """Loss over FLOPs of the runs on the story's titles."""
        svg, alt = frontier([p.result for p in story.everything]), "Scatter chart: exact loss over training FLOPs"
        return drawn("frontier", svg, alt, caption, "the runs of [the ladder](ladder.md)")

    def answer(question: str, name: str, caption: str) -> str:
        """The figure of a run's published answer to a question; "" where there is none."""
        run, recipe = story.run(name), story.recipe(name)
        if run is None or question not in run.analyses:
            return ""
        svg = QUESTIONS[question].one_figure(run.analyses[question], recipe)
        source = f"[{run.result.name}](downloads/{run.result.name}/result.json)"
        return drawn(f"{question}-{recipe}", svg, f"{QUESTIONS[question].asks}: {recipe}", caption, source)

    def listing(marker: str, caption: str) -> str:
        return f"```{{code-block}} python\n:caption: {caption}\n\n{excerpt(marker)}\n```"

    def rungs(first: str, last: str) -> str:
        """The ladder between two recipes, where it was run in full."""
        own = story.ladders.get(story.some_run.result.titles, [])
        others = [some for titles, some in story.ladders.items() if titles != story.some_run.result.titles]
        return steps_table(own, others, first, last) if longest([own]) else ""

    return {
        "run": of(lambda run: fragments.run(run) if run else None),
        "recipe": story.recipe,
        "command": lambda name: fragments.command_for(name, story),
        "figure": figure,
        "curve": curve,
        "frontier": frontier_of_all,
        "answer": answer,
        "listing": listing,
        "rungs": rungs,
        "headlines": lambda *names: headlines(story, names),
        "ratio": of(lambda old, new: format_metric("val_loss_ratio", new.result.exact / old.result.exact)),
        "diff": of(lambda old, new: f"```diff\n{config_diff(old.result.config, new.result.config)}\n```"),
        "n_changes": of(lambda old, new: str(n_changes(old.result.config, new.result.config))),
        "figures_table": of(tables.figures),
        "side_by_side": of(tables.side_by_side),
        "top_tokens": of(tables.top_tokens),
        "rules_table": of(tables.rules),
        "verdict": of(partial(verdict, story)),
    }


def _figure(source: str, name: str, alt: str, caption: str) -> str:
    return f":::{{figure}} {source}\n:label: fig-{name.replace('_', '-')}\n:alt: {alt}\n\n{caption}\n:::"


def _values(story: Story, notebooks: list[Notebook], log: dict[str, str], references: str) -> dict[str, Any]:
    """Text and tables for templates."""
    scoring = story.example.certificate.get("scoring") or {}
    here = [p.result for p in story.everything if p.result.facts.track != "context"]  # never in one table with others
    return {
        "rules": fragments.rules(),
        "corpus": fragments.corpus(story),
        "is_sample": story.is_sample,
        "is_demo": story.is_demo,
        "repository": _repository(),
        **{key: None if p is None else fragments.run(p) for key, p in story.parts.items()},
        "tail": tail_drop(story),
        "where": sentences(story),
        "loss_tables": kinds_tables(story),
        "worth_table": worth_table(story),
        "certificate_of": story.example.result.name,
        "certificate_table": tables.rules(story.example),
        "certificate_is_earlier": scoring.get("sha256") == _BLIND_TO_ITS_TARGET,
        "references_list": bibliography(references),
        "recipes_table": recipes_table(here),
        "effects_table": ladder_section(story.ladders) if longest(story.ladders.values()) else "",
        "ensembles_table": ensembles_table(p.result for p in (*story.everything, *story.proxies)),
        "proxy_words": proxy_words(unchanged([*here, *(p.result for p in story.proxies)])),
        "n_runs": str(len(here)),
        "elsewhere_table": recipes_table(p.result for p in story.elsewhere) if story.elsewhere else "",
        "metrics_table": tables.metrics(),
        "negatives": negatives(log.values()),
        "log_months": list(log),
        "notebooks": [{"name": n.name, "title": n.title, "redrawn": n.redrawn} for n in notebooks],
    }


def _downloads(published: Published) -> dict[str, str]:
    """The result's files for download by name, with the config on its own, as `train` can be given it."""
    names = ("result.json", "curve.csv", "certificate.json")
    files = [*(published.folder / name for name in names), *sorted(published.folder.glob("*.log"))]
    texts = {file.name: file.read_text(encoding="utf-8") for file in files}
    return texts | {"config.json": json.dumps(published.result.config, indent=1, ensure_ascii=False) + "\n"}


def _repository() -> str | None:
    """The address in the package's metadata; None until there is one."""
    try:
        told = metadata.metadata("sevenepochs").get_all("Project-URL", [])
    except metadata.PackageNotFoundError:
        return None
    return dict(line.split(", ", 1) for line in told).get("Repository")
