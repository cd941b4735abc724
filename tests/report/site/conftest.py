"""A small MyST project with the story's six labelled cells, built once a session; mystmd's JSON of all constructs."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sevenepochs.errors import UserError
from sevenepochs.report.build import build_site, find_mystmd, find_node

SAVED = Path(__file__).parent / "saved"
LABELS = {
    "loss_first_run": "first_run",
    "token_frequency_first_run": "first_run",
    "token_frequency_input": "first_run",
    "step_one_words": "step_one",
    "output_step_two_token_10": "step_two",
    "token_predictions_two": "step_two",
}
Write = Callable[..., Path]


def _svg(colour: str, label: str) -> str:
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" width="320" height="120" viewBox="0 0 320 120">'
        f"<desc>{label}</desc>"
        f'<path d="M10 20C60 90 160 100 310 105" fill="none" stroke="{colour}" stroke-width="3"/></svg>'
    )


def _cell(source: str, outputs: list[dict[str, Any]], number: int) -> dict[str, Any]:
    return {
        "cell_type": "code",
        "execution_count": number,
        "id": f"cell-{number}",
        "metadata": {},
        "outputs": outputs,
        "source": source,
    }


def _notebook(title: str, labels: list[str], colour: str) -> dict[str, Any]:
    cells: list[dict[str, Any]] = [
        {"cell_type": "markdown", "id": "head", "metadata": {}, "source": f"# {title}\n\nWhat came out.\n\n## Curves"}
    ]
    for number, label in enumerate(labels):
        said = {"name": "stdout", "output_type": "stream", "text": "drawing\n"}
        picture = {"image/svg+xml": _svg(colour, label), "text/plain": "<Figure>"}
        shown = {"output_type": "display_data", "data": picture, "metadata": {}}
        cells.append(_cell(f"#| label: {label}\nshow({number})", [said, shown], number))
    html = '<table><tr><th>token</th></tr><tr><td onclick="steal()">eos</td></tr></table><script>steal()</script>'
    failed = {
        "output_type": "error",
        "ename": "ValueError",
        "evalue": "no",
        "traceback": ["\x1b[31mValueError\x1b[0m: no"],
    }
    cells.append(
        _cell(
            "table",
            [{"output_type": "execute_result", "execution_count": 90, "data": {"text/html": html}, "metadata": {}}],
            90,
        )
    )
    cells.append(_cell("fail()", [{"name": "stderr", "output_type": "stream", "text": "careful\n"}, failed], 91))
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    return {"cells": cells, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}


_FIGURE = """:::{{figure}} #{label}
:label: fig-{name}
:alt: Curve of {name}
What {name} shows.
:::
"""


def _page() -> str:
    figures = "\n".join(_FIGURE.format(label=label, name=label.replace("_", "-")) for label in LABELS)
    mentions = ", ".join(f"[](#fig-{label.replace('_', '-')})" for label in LABELS)
    shades = " ".join(f"{{span .nats-{shade}}}`` `Ring` {shade}.5 ``" for shade in range(7))
    return f"""---
title: Steps
description: What each step showed
---

## Figures

See {mentions}, @fig-step-one-words, [the curve](notebooks/first_run.ipynb), [](index.md#sec-task) and {{term}}`epoch`.

{figures}

## A longer listing

```{{code-block}} python
:caption: The rule
:label: code-rule
def rule(step: int) -> float:
    return 1.0 / step
```

:::{{table}} Numbers
:label: tab-numbers
| a | b |
|:--|--:|
| one | 2 |
:::

:::{{div}}
:class: headlines

Surprise: {shades}

|  | `Ring Doorbell` | nats |
|---|---|---|
| `baseline` | {shades} | 9.5 |
| `a_recipe_of_a_long_name` | {shades} | 9.5 |

:::

A formula, $L = -\\frac1N \\sum \\ln p$ [@efron1979].
"""


@pytest.fixture(scope="session")
def write_project() -> Write:
    """write_project(folder, colour=..., index=...): the project; `colour` is what a re-executed step_one draws with."""

    def write(folder: Path, *, colour: str = "#1b559c", index: str = "") -> Path:
        (folder / "notebooks").mkdir(parents=True)
        (folder / "myst.yml").write_text(
            "version: 1\nproject:\n  title: A small project\n  description: Made for tests\n  license: MIT\n"
            "  github: https://github.com/someone/headlines\n  bibliography: [references.bib]\n  toc:\n"
            "    - file: index.md\n    - title: Story\n      children:\n        - file: steps.md\n"
            "        - file: apart.md\n"
            "    - title: Notebooks\n      children:\n"
            + "".join(f"        - file: notebooks/{name}.ipynb\n" for name in dict.fromkeys(LABELS.values()))
            + "site:\n  title: small\n"
        )
        (folder / "index.md").write_text(
            "# Start\n\n(sec-task)=\n## The task\n\nGuess the next word of a headline. [Files](facts.json)\n\n"
            ":::{note}\nA note.\n:::\n\n:::{warning}\nA warning.\n:::\n\n"
            ":::{glossary}\nepoch\n: One pass over the titles.\n:::\n" + index
        )
        (folder / "apart.md").write_text("# Apart\n\nNothing of the notebooks is here.\n")
        (folder / "facts.json").write_text('{"a": 1}\n')
        (folder / "steps.md").write_text(_page())
        (folder / "references.bib").write_text(
            "@article{efron1979, title={Bootstrap methods}, author={Efron, Bradley}, journal={Annals}, year={1979}}\n"
        )
        for name in dict.fromkeys(LABELS.values()):
            labels = [label for label, owner in LABELS.items() if owner == name]
            drawn = colour if name == "step_one" else "#1b559c"
            text = json.dumps(_notebook(name.replace("_", " ").capitalize(), labels, drawn), indent=1)
            (folder / "notebooks" / f"{name}.ipynb").write_text(text)
        return folder

    return write


@pytest.fixture(scope="session")
def needs_myst() -> None:
    try:
        find_node(), find_mystmd()
    except UserError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def built(needs_myst: None, write_project: Write, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's site."""
    folder = tmp_path_factory.mktemp("built")
    build_site(write_project(folder / "project"), folder / "site", base_url="https://someone.github.io/headlines/")
    return folder / "site"


@pytest.fixture()
def saved_site(tmp_path: Path) -> Iterator[Path]:
    """A copy of `_build/site` as mystmd 1.11.0 wrote it for a project with every construct."""
    shutil.copytree(SAVED, tmp_path / "site")
    yield tmp_path / "site"
