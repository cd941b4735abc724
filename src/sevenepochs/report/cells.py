"""The labelled cells of the notebooks by label. Pages embed cells by these names (the story's own), and a notebook that
is older than the results has them drawn again (`notebooks.py`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from sevenepochs.report.chapter import Chapters, Shown


class Cell(NamedTuple):
    """`alt` is the text for people who cannot see the figure; `show` is what the notebook's cell calls."""

    alt: str
    show: Callable[[Chapters], Shown]


def _curve(part: str, whose: str, metric: str = "exact_val_loss", what: str = "exact validation loss") -> Cell:
    alt = f"Line chart of {what} over the training steps, {whose}"
    return Cell(alt, lambda story: story.by_name[part].curve(metric))


def _ask(part: str, question: str, alt: str, figure: str = "") -> Cell:
    return Cell(alt, lambda story: story.by_name[part].ask(question, figure))


def _next_token(part: str, position: int, whose: str) -> Cell:
    read = {10: "eleven", 80: "eighty-one"}[position]
    alt = f"Bar chart of the ten most probable next tokens after the first {read} tokens of the validation text"
    return _ask(part, "next_token", f"{alt}, {whose}", f"0_{position}")


def _collapse(part: str, whose: str) -> Cell:
    alt = "Chart of training frequency and mean prediction of frequent tokens, and bits gained over frequency alone"
    return _ask(part, "collapse", f"{alt}, for {whose}")


def _where(breakdown: str, alt: str) -> Cell:
    return Cell(f"Bar chart of the loss per {alt}, run beside run", lambda story: story.where(breakdown))


_FIRST = "Line chart of the initial run's exact validation loss over its training steps"
_TOKENS = "Bar chart of the most frequent tokens of the training text"
_LENGTHS = "Two histograms of the training titles: characters a title, and tokens a title"
_LADDER = "The ladder's recipes with their exact losses, and the change at every rung with its interval"
_KNOWN = "Chart of the best analysed run's loss on known and on new titles, beside that of a table of token pairs"
_SURE = "Reliability diagram of the best analysed run: how often it is right, by how sure it is"
_BOTH = "initial run and best recipe"
CELLS = {
    "loss_first_run": Cell(_FIRST, lambda story: story.first.curve()),
    "token_frequency_first_run": _next_token("first", 10, "by the initial run"),
    "token_frequency_input": _ask("first", "token_frequency", _TOKENS),
    "title_lengths": _ask("first", "data", _LENGTHS, "lengths"),
    "first_run_collapse": _collapse("first", "the initial run"),
    "step_one_loss": _curve("one", "initial run and step one"),
    "step_one_words": _next_token("one", 10, "after step one"),
    "step_one_words_80": _next_token("one", 80, "after step one"),
    "step_one_collapse": _collapse("one", "step one"),
    "step_two_loss": _curve("two", "step one and step two"),
    "output_step_two_token_10": _next_token("two", 10, "after step two"),
    "token_predictions_two": _next_token("two", 80, "after step two"),
    "step_two_collapse": _collapse("two", "step two"),
    "best_loss": _curve("best", _BOTH),
    "best_training_loss": _curve("best", _BOTH, "train_loss_nats_per_token", "training loss per token"),
    "ladder_effects": Cell(_LADDER, Chapters.ladder),
    "where_loss_position": _where("position", "token by the token's place in its title"),
    "where_loss_frequency": _where("frequency", "token by how often the token occurs in training"),
    "where_loss_prefix": _where("prefix", "character by kind of title"),
    "where_loss_known": _where("known", "character by whether the title occurs in training"),
    "best_memorisation": _ask("inside", "memorisation", _KNOWN),
    "best_calibration": _ask("inside", "calibration", _SURE),
}
