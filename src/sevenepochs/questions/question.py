"""Question: one file asks a finished run something, computes the answer, draws it and prints it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from sevenepochs.questions.terminal import View

if TYPE_CHECKING:
    import sevenepochs.questions.case

Case: TypeAlias = "sevenepochs.questions.case.Case"
Content: TypeAlias = Mapping[str, Any]  # an answer, as analysis/<name>.json holds it


@dataclass(frozen=True)
class Question:
    """One question. Only `compute` may need torch, only `figure` matplotlib, only `view` rich: each imports what it
    needs in its body.

    Attributes:
        name: of the answer's JSON file, analysis/<name>.json.
        asks: what is asked, in a line.
        compute: the answer for a run, ready for JSON.
        view: the answer as the terminal shows it. None: another question's view shows it too.
        figure: SVG text from the answer, the run's name or None, and the part where there are `parts`. None: there is
            nothing to draw.
        parts: names of an answer's figures, where there are several.
        text: a figure's numbers as rows of text, for notebooks; from the answer, and the part where there are `parts`.
        table: answers of several runs side by side, one row of cells per run below the columns' names.
        needs_facts: whether it is for runs that are told facts beside titles; others are not asked it.
        publish: whether results/ gets the answer. False: it holds text of the corpus and stays in the run folder.
    """

    name: str
    asks: str
    compute: Callable[[Case], dict[str, Any]]
    view: Callable[[Content], View] | None = None
    figure: Callable[..., str] | None = None
    parts: Callable[[Content], Sequence[str]] | None = None
    text: Callable[..., list[list[str]]] | None = None
    table: Callable[[Sequence[Content]], list[list[str]]] | None = None
    needs_facts: bool = False
    publish: bool = True

    def answer(self, case: Case) -> dict[str, Any]:
        """Compute the answer as it is stored; publishing leaves out one that is marked `keep_local`."""
        return {**({} if self.publish else {"keep_local": True}), **self.compute(case)}

    def figures(self, content: Content, run: str | None = None) -> dict[str, str]:
        """Draw all figures of an answer: SVG text by file name. `run`: what titles call the run. Raises UserError:
        matplotlib is not installed."""
        if self.figure is None:
            return {}
        if self.parts is None:
            return {f"{self.name}.svg": self.figure(content, run)}
        return {f"{self.name}_{part}.svg": self.figure(content, run, part) for part in self.parts(content)}

    def one_figure(self, content: Content, run: str | None = None, part: str = "") -> str | None:
        """Draw one figure: SVG text, or None where the answer has no such figure. Raises as `figures`."""
        if self.figure is None or part not in (self.parts(content) if self.parts else ("",)):
            return None
        return self.figure(content, run, part) if part else self.figure(content, run)
