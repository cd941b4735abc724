"""The labelled cells of the notebooks: what each label shows. Pages embed cells by these names (the story's own), and a
notebook that is older than the results has them drawn again (`notebooks.py`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sevenepochs.report.chapter import Chapters
from sevenepochs.report.shown import Shown


@dataclass(frozen=True)
class Cell:
    """`alt` is the text for who cannot see the figure; `show` is what the notebook's cell calls."""

    alt: str
    show: Callable[[Chapters], Shown]


_TOP_10 = "Bar chart of the ten most probable next tokens"

CELLS = {
    "loss_first_run": Cell(
        "Line chart of the initial run's exact validation loss over its training steps",
        lambda story: story.first.loss_curve(),
    ),
    "token_frequency_first_run": Cell(
        f"{_TOP_10} after the first eleven tokens of the validation text, by the initial run",
        lambda story: story.first.predictions(0, 10),
    ),
    "token_frequency_input": Cell(
        "Bar chart of the most frequent tokens of the training text",
        lambda story: story.first.input_tokens(),
    ),
    "step_one_loss": Cell(
        "Line chart of exact validation loss over the training steps, initial run and step one",
        lambda story: story.one.loss_curve(),
    ),
    "step_one_words": Cell(
        f"{_TOP_10} after the first eleven tokens of the validation text, after step one",
        lambda story: story.one.predictions(0, 10),
    ),
    "step_one_words_80": Cell(
        f"{_TOP_10} after the first eighty-one tokens of the validation text, after step one",
        lambda story: story.one.predictions(0, 80),
    ),
    "step_two_loss": Cell(
        "Line chart of exact validation loss over the training steps, step one and step two",
        lambda story: story.two.loss_curve(),
    ),
    "output_step_two_token_10": Cell(
        f"{_TOP_10} after the first eleven tokens of the validation text, after step two",
        lambda story: story.two.predictions(0, 10),
    ),
    "token_predictions_two": Cell(
        f"{_TOP_10} after the first eighty-one tokens of the validation text, after step two",
        lambda story: story.two.predictions(0, 80),
    ),
    "best_loss": Cell(
        "Line chart of exact validation loss over the training steps, initial run and best recipe",
        lambda story: story.best.loss_curve(),
    ),
    "best_training_loss": Cell(
        "Line chart of training loss per token over the training steps, initial run and best recipe",
        lambda story: story.best.training_curve(),
    ),
}
