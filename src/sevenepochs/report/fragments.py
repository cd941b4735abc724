"""Every value that a page may quote, as text. Templates get nothing else, so a number in prose cannot be typed: it is
looked up here, and a name that does not exist stops the build. metrics.py formats."""

from __future__ import annotations

import re
from typing import Any

from sevenepochs.metrics import METRICS, format_metric
from sevenepochs.protocol import budget
from sevenepochs.questions.figures.style import token_label
from sevenepochs.questions.next_token import STORY_PLACES
from sevenepochs.recipes.configs import called
from sevenepochs.report.inputs import Published, evaluations
from sevenepochs.report.story import Story
from sevenepochs.store.results import Result


def rules() -> dict[str, str]:
    """The challenge's constants."""
    n_validation = round(budget.NUM_TITLES * budget.VAL_FRACTION)
    return {
        "epochs": str(budget.EPOCHS),
        "seed": str(budget.OFFICIAL_SEED),
        "titles": f"{budget.NUM_TITLES:,}",
        "train_titles": f"{budget.NUM_TITLES - n_validation:,}",
        "val_titles": f"{n_validation:,}",
        "stock_batch": str(budget.STOCK_BATCH_SIZE),
        "stock_block": str(budget.STOCK_BLOCK_SIZE),
        "stock_window": f"{budget.STOCK_BATCH_SIZE * budget.STOCK_BLOCK_SIZE:,}",
    }


def corpus(story: Story) -> dict[str, str]:
    """The titles that all results of the story share."""
    corpus = story.some_run.result.corpus
    split = corpus.split
    name = f"the titles of {corpus.name}"
    if story.is_sample:
        name = "the embedded corpus, whose titles a small grammar generates"
    elif corpus.recognised == "stand-in":
        titles = f"{corpus.n_rows:,} real Hacker News titles"
        name = f"a stand-in: {titles}, used while the challenge's own data was not at hand"
    elif corpus.recognised:
        name = f"the challenge's data ({corpus.recognised} version)"
    return {
        "called": name,
        "n_train": f"{split.n_train:,}",
        "n_validation": f"{split.n_validation:,}",
        "val_chars": f"{split.validation_chars:,}",
    }


def run(published: Published) -> dict[str, Any]:
    """One run: its figures by metric name with units, and what it ran on."""
    result, facts = published.result, published.result.facts
    numbers = {name: format_metric(name, value) for name, value in result.figures.by_name().items() if name in METRICS}
    first = evaluations(published.curve)[0]
    return {
        "result": result.name,
        "recipe": called(result),
        "seed": str(result.seed),
        "command": facts.command,
        "parameters": format_metric("parameters", facts.parameters),
        "n_steps": format_metric("n_steps", facts.n_steps),
        "minutes": minutes(result),
        "machine": result.machine.words,
        "commit": result.commit_words,
        "val_loss_step_1": format_metric("exact_val_loss", first["exact_val_loss"], unit=True),
        "has_floor": "floor_val_loss" in numbers,
        **numbers,
        "exact": format_metric("exact_val_loss", result.exact, unit=True),
        "places": {f"{row}_{position}": _place_at(published, row, position) for row, position in STORY_PLACES},
        "input": _token_frequency(published),
        "collapse": _collapse(published),
        "analyses": list(published.analyses),
    }


def minutes(result: Result) -> str:
    """How long a run took, with the unit."""
    return format_metric("elapsed_minutes", result.facts.elapsed_seconds / 60, unit=True)


def _place_at(published: Published, row: int, position: int) -> dict[str, str] | None:
    """The prediction at one place of the validation stream; None where it was not analysed."""
    if (data := published.place(row, position)) is None:
        return None
    top, truth = data["top"], data["truth"]
    frequent = {t["id"] for t in published.analyses.get("token_frequency", {}).get("top", [])}
    return {
        "context": code(data["context"].rpartition(budget.EOS)[2].strip() or data["context"]),  # the title in progress
        "top_token": token(top[0]["token"]),
        "top_probability": format_metric("probability", top[0]["probability"]),
        "n_frequent": str(sum(t["id"] in frequent for t in top)) if frequent else "",
        "truth": token(truth["token"]),
        "truth_probability": format_metric("probability", truth["probability"]),
        "truth_rank": f"{truth['rank']:,}",
        "truth_bits": format_metric("surprisal_bits", truth["surprisal_bits"], unit=True),
    }


def command_for(name: str, story: Story) -> str:
    """The commands for a part or recipe that has no run on the story's titles yet."""
    told = story.some_run.result.facts.command  # sevenepochs train RECIPE --corpus ... --seed N
    source = told.partition(" --corpus ")[2].partition(" --seed ")[0] or "hub"
    recipe = story.recipe(name)
    return f"sevenepochs train {recipe} --corpus {source} && sevenepochs publish last"


def token(text: str) -> str:
    """A token as inline code; a space at its ends is shown as a middle dot."""
    return code(token_label(text))


def code(text: str) -> str:
    """Text as inline code that survives Markdown: line breaks shown, backticks fenced."""
    shown = text.replace("\n", "\\n").replace("\t", "\\t")
    pad = " " if shown.startswith(("`", " ")) or shown.endswith(("`", " ")) else ""
    return f"{fence(shown)}{pad}{shown}{pad}{fence(shown)}"


def fence(text: str) -> str:
    """More backticks than stand in a row anywhere in the text."""
    return "`" * (1 + max(map(len, re.findall("`+", text)), default=0))


def _token_frequency(published: Published) -> dict[str, str]:
    data = published.analyses.get("token_frequency")
    if data is None:
        return {}
    return {
        "n_tokens": f"{data['n_tokens']:,}",
        "eos_share": format_metric("share", data["eos_share"]),
        "second_token": token(data["top"][1]["token"]) if len(data["top"]) > 1 else "",
    }


def _collapse(published: Published) -> dict[str, Any]:
    data = published.analyses.get("collapse")
    if data is None:
        return {}
    names = ("information", "gain", "pair_gain")
    bits = {name: format_metric("bits_per_token", data[f"{name}_bits"], unit=True) for name in names}
    shares = {name: format_metric("share", data[f"{name}_share"]) for name in ("top_is_eos", "top_is_right")}
    return {"sentence": data["sentence"], "n_distinct_top": f"{data['n_distinct_top']:,}", **bits, **shares}
