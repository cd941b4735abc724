"""All questions to a finished run, by name. Importing this needs no torch, no matplotlib and no rich."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sevenepochs.ask.predictions import Progress
from sevenepochs.data.corpus.base import Announce, CorpusConfig
from sevenepochs.errors import UserError, nearest
from sevenepochs.questions.calibration import CALIBRATION
from sevenepochs.questions.collapse import COLLAPSE
from sevenepochs.questions.data import DATA, TOKEN_FREQUENCY
from sevenepochs.questions.facts import FACTS
from sevenepochs.questions.layers import LAYERS
from sevenepochs.questions.memorisation import MEMORISATION
from sevenepochs.questions.next_token import NEXT_TOKEN
from sevenepochs.questions.question import Question
from sevenepochs.questions.samples import SAMPLES
from sevenepochs.questions.where_loss import EXTREME_TITLES, WHERE_LOSS
from sevenepochs.store.run import Run, layout, write_analysis

_IN_ORDER = [DATA, TOKEN_FREQUENCY, NEXT_TOKEN, WHERE_LOSS, EXTREME_TITLES]
_IN_ORDER += [MEMORISATION, COLLAPSE, CALIBRATION, SAMPLES, LAYERS, FACTS]
QUESTIONS = {question.name: question for question in _IN_ORDER}
"""In the order in which they are answered and shown."""


def register(question: Question) -> None:
    """Add a question, so that `analyze`, `publish`, the report and the notebooks ask it too. Raises UserError: another
    question has its name."""
    if question.name in QUESTIONS:
        raise UserError(f"there is a question {question.name!r} already; choose another name")
    QUESTIONS[question.name] = question


def check_names(names: Iterable[str]) -> None:
    """Raise a UserError for a name that is no question's."""
    for name in names:
        if name not in QUESTIONS:
            raise UserError(f"there is no analysis {name!r}{nearest(name, list(QUESTIONS))}")


def questions_to(run: Run) -> list[str]:
    """Return the names of all questions that a run can answer, in their order. An ensemble has no layers of its own;
    one whose members cut titles into different tokens, or only count, has no tokens to ask about."""
    if run.is_ensemble and (run.is_by_words or run.config["counts"] is not None):
        return []
    is_told = (run.path / layout.FACTS).exists()
    asked = (one for one in QUESTIONS.values() if is_told or not one.needs_facts)
    return [one.name for one in asked if one is not LAYERS or not run.is_ensemble]


def analyze(
    run: Run,
    corpus: CorpusConfig | None = None,
    announce: Announce = lambda message: None,
    *,
    only: Sequence[str] = (),
    again: bool = False,
    progress: Progress = lambda done, total: None,
) -> list[str]:
    """Write analysis/<name>.json of every question that a complete run's folder does not answer; return their names.

    Args:
        corpus: where the run's titles are now, if not where its config says.
        only: names of `QUESTIONS`; by default those of `questions_to`.
        again: also those that are answered already.
        progress: told how far a slow answer is; starts again with each.

    Raises:
        UserError: an unknown name, the run is incomplete, or the corpus cannot be read or is another one.
    """
    from sevenepochs.questions.case import Case

    check_names(only)
    there = set() if again else set(run.analysis_names())
    missing = [name for name in (only or questions_to(run)) if name not in there]
    if missing:
        case = Case.open(run, corpus, announce, progress)
        for name in missing:
            announce(f"analysis {name}: {QUESTIONS[name].asks}")
            write_analysis(run, name, QUESTIONS[name].answer(case))
    return missing
