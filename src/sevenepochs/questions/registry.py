"""All questions to a finished run, by name. Importing this needs no torch, no matplotlib and no rich."""

from __future__ import annotations

from collections.abc import Iterable

from sevenepochs.errors import UserError, nearest
from sevenepochs.questions.calibration import CALIBRATION
from sevenepochs.questions.collapse import COLLAPSE
from sevenepochs.questions.data import DATA, TOKEN_FREQUENCY
from sevenepochs.questions.layers import LAYERS
from sevenepochs.questions.memorisation import MEMORISATION
from sevenepochs.questions.next_token import NEXT_TOKEN
from sevenepochs.questions.question import Question
from sevenepochs.questions.samples import SAMPLES
from sevenepochs.questions.where_loss import EXTREME_TITLES, WHERE_LOSS

QUESTIONS: dict[str, Question] = {}
"""In the order in which they are answered and shown."""


def register(question: Question) -> Question:
    """Add a question, so that `analyze`, `publish`, the report and the notebooks ask it too; return it.

    Raises:
        UserError: another question has its name.
    """
    if question.name in QUESTIONS:
        raise UserError(f"there is a question {question.name!r} already; choose another name")
    QUESTIONS[question.name] = question
    return question


def check_names(names: Iterable[str]) -> None:
    """Raise a UserError for a name that is no question's."""
    for name in names:
        if name not in QUESTIONS:
            raise UserError(f"there is no analysis {name!r}{nearest(name, list(QUESTIONS))}")


for _question in (
    DATA,
    TOKEN_FREQUENCY,
    NEXT_TOKEN,
    WHERE_LOSS,
    EXTREME_TITLES,
    MEMORISATION,
    COLLAPSE,
    CALIBRATION,
    SAMPLES,
    LAYERS,
):
    register(_question)
