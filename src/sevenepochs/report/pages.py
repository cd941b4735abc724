"""The report's sources: a complete MyST project, written from results. `build.py` makes the site of it.

Prose is in the repository's site/ as Jinja templates. What they may say of a run comes from `fragments.py` and
`tables.py`; a name that does not exist there stops the build. Same results, same bytes. No torch.
"""

from __future__ import annotations

import json
import shutil
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sevenepochs.errors import UserError
from sevenepochs.recipes.configs import unchanged
from sevenepochs.report import fragments, tables
from sevenepochs.report.bibliography import bibliography
from sevenepochs.report.cells import CELLS
from sevenepochs.report.chapter import Chapters
from sevenepochs.report.config_diff import config_diff, n_changes
from sevenepochs.report.excerpt import excerpt
from sevenepochs.report.inputs import Published
from sevenepochs.report.ladder_section import ladder_section, longest, proxy_words
from sevenepochs.report.negatives import log_months, negatives
from sevenepochs.report.notebooks import Notebook, read_notebooks, shipped_folder
from sevenepochs.report.story import PARTS, Story
from sevenepochs.report.tail_drop import windows
from sevenepochs.report.verdict import verdict
from sevenepochs.report.where_loss import kinds_tables, sentences
from sevenepochs.store.results import Result

_TITLE = "Seven epochs of headlines"
_DESCRIPTION = "How low can a small GPT's validation loss go on Hacker News headlines in seven epochs, and why?"
# The scoring source whose causality check did not see a model that reads its own target (docs/log, 27 November 2026).
_BLIND_TO_ITS_TARGET = "3c199e90dc1dc9167163262e9343033bd8d7e85ed0d6004ab82e6a73359795dd"
_FILE_MEANING = {
    "result.json": "the figures, the resolved config, the machine, the commit and the command",
    "config.json": "the config alone",
    "curve.csv": "every evaluation, and some 200 points of the training loss",
    "certificate.json": "the rules and what was observed",
    "mainrun.log": "the run in the challenge's own log format",
}
PAGES = (
    "index",
    "initial-run",
    "optimizer-step",
    "rope-step",
    "ladder",
    "where-the-loss-is",
    "what-did-not-work",
    "metric",
    "conclusion",
    "documents",
    "glossary",
    "references",
)


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
    downloads = {f"downloads/log/{month}.md.txt": text for month, text in log.items()}
    for published in (*story.everything, *story.proxies, *story.elsewhere):
        downloads |= _downloads(published)
    texts = {f"{page}.md": page_text for page, page_text in _render(templates, story, found, log).items()}
    texts["myst.yml"] = _myst_yml(story, found)
    texts["references.bib"] = (templates / "references.bib").read_text(encoding="utf-8")
    texts |= {f"notebooks/{notebook.name}.ipynb": notebook.text for notebook in found}
    for name, text in {**texts, **downloads}.items():
        file = target_dir / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8", newline="\n")
    if (templates / "images").is_dir():
        shutil.copytree(templates / "images", target_dir / "images")


def _render(templates: Path, story: Story, notebooks: list[Notebook], log: dict[str, str]) -> dict[str, str]:
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(templates),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    references = (templates / "references.bib").read_text(encoding="utf-8")
    environment.globals.update(_values(story, notebooks, log, references))
    rendered = {}
    for page in PAGES:
        try:
            rendered[page] = environment.get_template(f"{page}.md").render()
        except jinja2.TemplateError as error:
            raise UserError(f"site/{page}.md cannot be filled in: {error}") from None
    return rendered


def _values(story: Story, notebooks: list[Notebook], log: dict[str, str], references: str) -> dict[str, Any]:
    """All that templates see: text, tables, and the functions that make directives."""
    labels = {label: notebook for notebook in notebooks for label in notebook.labels}

    def figure(label: str, caption: str) -> str:
        if label not in labels:
            raise UserError(f"a page embeds the cell {label}, which no notebook has")
        name = f"fig-{label.replace('_', '-')}"
        return f":::{{figure}} #{label}\n:label: {name}\n:alt: {CELLS[label].alt}\n\n{caption}\n:::"

    def listing(marker: str, caption: str) -> str:
        return f"```{{code-block}} python\n:caption: {caption}\n\n{excerpt(marker)}\n```"

    def diff(before: str, after: str) -> str:
        old, new = (story.parts[key] for key in (before, after))
        assert old is not None and new is not None, "templates ask first"
        return f"```diff\n{config_diff(old.result.config, new.result.config)}\n```"

    def of(function: Any) -> Any:
        """A table function that takes keys of parts where it takes runs."""
        return lambda *keys: function(*(story.parts[key] if isinstance(key, str) else key for key in keys))

    return {
        "rules": fragments.rules(),
        "corpus": fragments.corpus(story),
        "is_sample": story.is_sample,
        **{key: None if p is None else fragments.run(p) for key, p in story.parts.items()},
        "part": {
            p.key: {
                "title": p.title,
                "recipe": fragments.recipe_for(p, story),
                "stock": p.recipes[0],
                "command": fragments.command_for(p, story),
            }
            for p in PARTS
        },
        "change": lambda a, b: fragments.change(*_both(story, a, b)),
        "n_changes": lambda a, b: str(n_changes(*(p.result.config for p in _both(story, a, b)))),
        "figure": figure,
        "listing": listing,
        "diff": diff,
        "figures_table": of(tables.figures),
        "side_by_side": of(tables.side_by_side),
        "top_tokens": of(tables.top_tokens),
        "rules_table": of(tables.rules),
        "tail": fragments.tail_drop(story),
        "tail_table": tables.tail_drop(windows(story.shown)),
        "verdict": lambda a, b: verdict(story, *_both(story, a, b)),
        "where": sentences(story),
        "loss_tables": kinds_tables(story),
        "certificate_of": story.shown.result.name,
        "certificate_table": tables.rules(story.shown),
        "certificate_is_earlier": (story.shown.certificate.get("scoring") or {}).get("sha256") == _BLIND_TO_ITS_TARGET,
        "references_list": bibliography(references),
        "file_meaning": _FILE_MEANING,
        "ladder_table": tables.runs_table(story.everything),
        "effects_table": ladder_section(story.ladders) if longest(story.ladders) else "",
        "proxy_words": proxy_words(unchanged(p.result for p in (*story.everything, *story.proxies))),
        "n_runs": str(len(story.everything)),
        "elsewhere_table": tables.runs_table(story.elsewhere) if story.elsewhere else "",
        "metrics_table": tables.metrics(),
        "negatives": negatives(log.values()),
        "log_months": list(log),
        "notebooks": [{"name": n.name, "title": n.title, "redrawn": n.redrawn} for n in notebooks],
        "downloads": [
            {"result": p.result.name, "files": sorted(name.rpartition("/")[2] for name in _downloads(p))}
            for p in (*story.everything, *story.proxies, *story.elsewhere)
        ],
    }


def _both(story: Story, before: str, after: str) -> tuple[Published, Published]:
    old, new = story.parts[before], story.parts[after]
    assert old is not None and new is not None, "templates ask first"
    return old, new


def _downloads(published: Published) -> dict[str, str]:
    """The result's files for download, with the config on its own, as `train` can be given it."""
    path = published.result.path
    assert path is not None, "Published.read asks for one"
    root = f"downloads/{published.result.name}"
    files = [path / "result.json", path / "curve.csv", path / "certificate.json", *sorted(path.glob("*.log"))]
    texts = {f"{root}/{file.name}": file.read_text(encoding="utf-8") for file in files}
    config = json.dumps(published.result.config, indent=1, ensure_ascii=False) + "\n"
    return {**texts, f"{root}/config.json": config}


def _myst_yml(story: Story, notebooks: list[Notebook]) -> str:
    """The project file. The table of contents is the pages' order, the notebooks under one heading."""
    lines = [
        "version: 1",
        "project:",
        f"  title: {_TITLE}",
        f"  description: {_DESCRIPTION}",
        "  license: MIT",
        "  bibliography:",
        "    - references.bib",
        "  numbering:",
        "    headings: false",
    ]
    if repository := repository_url():
        lines.append(f"  github: {repository}")
    lines.append("  toc:")
    for page in PAGES:
        if page == "documents" and notebooks:
            lines += ["    - title: Notebooks", "      children:"]
            lines += [f"        - file: notebooks/{notebook.name}.ipynb" for notebook in notebooks]
        lines.append(f"    - file: {page}.md")
    return "\n".join([*lines, "site:", "  title: sevenepochs", ""])


def repository_url() -> str | None:
    """`project.urls.Repository` of the package, or of the pyproject.toml beside it; None until it is published."""
    from importlib import metadata

    try:
        told = metadata.metadata("sevenepochs").get_all("Project-URL") or []
    except metadata.PackageNotFoundError:
        told = []
    for line in told:
        name, _, url = line.partition(",")
        if name.strip().lower() == "repository":
            return url.strip()
    pyproject = Path(__file__).parents[3] / "pyproject.toml"
    if pyproject.is_file():
        urls = tomllib.loads(pyproject.read_text(encoding="utf-8"))["project"].get("urls", {})
        return urls.get("Repository")
    return None
