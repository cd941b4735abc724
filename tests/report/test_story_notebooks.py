"""Notebooks in a report: taken as they are, or drawn again where they would show what is no longer so."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from sevenepochs.errors import UserError
from sevenepochs.report.cells import CELLS
from sevenepochs.report.chapter import Chapters, inputs_line
from sevenepochs.report.inputs import collect
from sevenepochs.report.notebooks import Notebook, read_notebooks
from sevenepochs.report.story import Story

STORY_LABELS = {
    "loss_first_run",
    "token_frequency_first_run",
    "token_frequency_input",
    "step_one_words",
    "output_step_two_token_10",
    "token_predictions_two",
}


def chapters_of(root: Path) -> Chapters:
    return Chapters(Story.of(collect([root], root.parent / "scratch")), "results")


def notebook(told: str, *, label: str = "loss_first_run", outputs: list[Any] | None = None) -> str:
    """A notebook of three cells whose second one tells what it was executed from."""

    def code(source: str, outputs: list[Any]) -> dict[str, Any]:
        return {"cell_type": "code", "execution_count": 1, "metadata": {}, "outputs": outputs, "source": source}

    says = {"output_type": "execute_result", "execution_count": 1, "metadata": {}, "data": {"text/plain": told}}
    drawn = {"output_type": "display_data", "metadata": {}, "data": {"image/svg+xml": "<svg>old</svg>"}}
    cells = [
        {"cell_type": "markdown", "metadata": {}, "source": ["# A title\n", "text"]},
        code("story", [says]),
        code(f"#| label: {label}\nstory.first.curve()", [drawn] if outputs is None else outputs),
    ]
    return json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})


@pytest.fixture()
def read(story_results: Path, tmp_path: Path) -> Callable[..., list[Notebook]]:
    """read(**texts): notebooks by file name, as the site of the story takes them."""

    def write_and_read(**texts: str) -> list[Notebook]:
        folder = tmp_path / "notebooks"
        folder.mkdir(exist_ok=True)
        for name, text in texts.items():
            (folder / f"{name}.ipynb").write_text(text)
        return read_notebooks(folder, chapters_of(story_results))

    return write_and_read


def test_what_is_looked_into_is_the_best_run_with_analyses(story_results: Path) -> None:
    def names() -> list[str]:
        parts = chapters_of(story_results).story.parts
        return [published.result.recipe for key in ("best", "inside") if (published := parts[key])]

    assert names() == ["demo_adamw", "demo_adamw"]
    (story_results / "demo_adamw_sample-100_s1337" / "analysis" / "where_loss.json").unlink()
    assert names() == ["demo_adamw", "demo_sgd"]
    assert "cannot be told" in str(chapters_of(story_results).inside.ask("memorisation"))  # of titles so few
    (story_results / "demo_sgd_sample-100_s1337" / "analysis" / "where_loss.json").unlink()
    assert names() == ["demo_adamw"]
    assert "Looking inside: no run" in str(chapters_of(story_results).inside.ask("memorisation"))


def test_up_to_date_and_foreign_notebooks_are_taken_byte_for_byte(
    read: Callable[..., list[Notebook]], story_results: Path
) -> None:
    own = notebook(inputs_line(chapters_of(story_results).story, "results") + "\n\na table", label="a")
    foreign = notebook("inputs (train): first=baseline_hub_s1337@0123456789ab one=missing", label="b")
    silent = notebook("nothing of that kind", label="c")
    found = {n.name: n for n in read(own=own, foreign=foreign, silent=silent)}
    assert {name: n.text for name, n in found.items()} == {"own": own, "foreign": foreign, "silent": silent}
    assert not any(n.redrawn for n in found.values()) and found["own"].title == "A title"


def test_a_stale_notebook_is_drawn_again_from_the_results(
    read: Callable[..., list[Notebook]], story_results: Path
) -> None:
    [found] = read(stale=notebook("inputs (results): first=demo_sgd_sample-100_s1337@000000000000 one=missing"))
    assert found.redrawn and "old" not in found.text and "Drawn for this site" in found.text
    cells = json.loads(found.text)["cells"]
    shown = CELLS["loss_first_run"].show(chapters_of(story_results))
    assert cells[-1]["outputs"][0]["data"] == shown.bundle() and shown.svg is not None
    assert cells[2]["outputs"] == []


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("{", "no readable notebook"),
        ('{"cells": 3}', "no readable notebook"),
        (json.dumps({"cells": [], "metadata": {}}), "never executed"),
        (notebook("x", outputs=[{"output_type": "error", "ename": "KeyError"}]), "KeyError"),
    ],
)
def test_a_notebook_that_cannot_be_shown_stops_the_build(
    read: Callable[..., list[Notebook]], text: str, complaint: str
) -> None:
    with pytest.raises(UserError, match=complaint) as error:
        read(bad=text)
    assert "bad.ipynb" in str(error.value)


def test_a_label_names_one_cell(read: Callable[..., list[Notebook]]) -> None:
    with pytest.raises(UserError, match="both labelled loss_first_run"):
        read(one=notebook("x"), two=notebook("y"))


def test_missing_runs_are_said_in_every_cell_and_labels_are_the_storys(story_results: Path) -> None:
    assert CELLS.keys() >= STORY_LABELS
    chapters = chapters_of(story_results)
    two = chapters.two
    for shown in (two.figures(), two.change(), two.curve(), two.ask("collapse"), two.certificate()):
        assert "not run yet. To run it: sevenepochs train rope" in shown.text and shown.svg is None
    assert {label for label, cell in CELLS.items() if not cell.alt}.isdisjoint(CELLS)
