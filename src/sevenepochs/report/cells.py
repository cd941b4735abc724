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
_COLLAPSE = "Chart of training frequency and mean prediction of frequent tokens, and bits gained over frequency alone"

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
    "title_lengths": Cell(
        "Two histograms of the training titles: characters a title, and tokens a title",
        lambda story: story.first.title_lengths(),
    ),
    "first_run_collapse": Cell(
        f"{_COLLAPSE}, for the initial run",
        lambda story: story.first.collapse(),
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
    "step_one_collapse": Cell(
        f"{_COLLAPSE}, for step one",
        lambda story: story.one.collapse(),
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
    "step_two_collapse": Cell(
        f"{_COLLAPSE}, for step two",
        lambda story: story.two.collapse(),
    ),
    "best_loss": Cell(
        "Line chart of exact validation loss over the training steps, initial run and best recipe",
        lambda story: story.best.loss_curve(),
    ),
    "best_training_loss": Cell(
        "Line chart of training loss per token over the training steps, initial run and best recipe",
        lambda story: story.best.training_curve(),
    ),
    "ladder_effects": Cell(
        "The ladder's recipes with their exact losses, and the change at every rung with its interval",
        lambda story: story.ladder(),
    ),
    "where_loss_position": Cell(
        "Bar chart of the loss per token by the token's place in its title, run beside run",
        lambda story: story.where("position"),
    ),
    "where_loss_frequency": Cell(
        "Bar chart of the loss per token by how often the token occurs in training, run beside run",
        lambda story: story.where("frequency"),
    ),
    "where_loss_prefix": Cell(
        "Bar chart of the loss per character by kind of title, run beside run",
        lambda story: story.where("prefix"),
    ),
    "where_loss_known": Cell(
        "Bar chart of the loss per character by whether the title occurs in training, run beside run",
        lambda story: story.where("known"),
    ),
    "best_memorisation": Cell(
        "Chart of the best analysed run's loss on known and on new titles, beside that of a table of token pairs",
        lambda story: story.inside.memorisation(),
    ),
    "best_calibration": Cell(
        "Reliability diagram of the best analysed run: how often it is right, by how sure it is",
        lambda story: story.inside.calibration(),
    ),
}
