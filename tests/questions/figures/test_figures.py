"""Figures: the same bytes from the same data, well-formed, readable alone, whatever the titles contain."""

import copy
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any

import pytest

pytest.importorskip("matplotlib")

from matplotlib.figure import Figure

from sevenepochs.errors import UserError
from sevenepochs.questions import inside, next_token, where_loss
from sevenepochs.questions.case import Case
from sevenepochs.questions.figures import curves, frontier, ladder, performance
from sevenepochs.questions.figures.style import PALETTE, draw, heading, percent, token_label
from sevenepochs.questions.registry import QUESTIONS
from sevenepochs.store.run import Run

PLACE: dict[str, Any] = {
    "row": 0,
    "position": 10,
    "context": 'Costs $5 & <b>"bold"</b> $x$',
    "top": [
        {"id": i, "token": token, "probability": 0.3 / (i + 1)} for i, token in enumerate([" $a", "<eos>", "漢", "\n"])
    ],
    "truth": {"id": 77, "token": " rare_$\\frac", "probability": 1e-6, "rank": 5000, "surprisal_bits": 20.0},
}
CURVES = {
    "first": [{"step": 1, "exact_val_loss": 2.0}, {"step": 9, "exact_val_loss": "1.5"}, {"step": 5, "grad_norm": 1.0}],
    "second": [{"step": 1, "exact_val_loss": ""}, {"step": 9, "exact_val_loss": 1.25}],
}
RUNGS = [
    {"label": "baseline", "exact_val_loss": 1.8},
    {"label": "adamw", "exact_val_loss": 1.15, "difference": -0.65, "low": -0.66, "high": -0.64},
    {"label": "rope", "exact_val_loss": 1.14, "difference": -0.01, "low": None, "high": None},
]
ATTENTION = {"run": "a run", "tokens": ["<eos>", " A $5"], "weights": [[[[1.0, 0.0], [0.5, 0.5]]] * 5]}
STEPS = [
    {"name": "ours", "tokens_per_second": 900.0, "low": 800.0, "high": 950.0},
    {"name": "other", "tokens_per_second": 500.0, "low": 500.0, "high": 500.0},
]
SIZES = [
    {"d_model": d_model, "block_size": block_size, "seconds": seconds, "flop": 1e9 * seconds}
    for d_model, block_size, seconds in ((128, 128, 0.1), (256, 128, 0.3), (512, 128, 1.0), (256, 64, 0.2))
]
STAGES = [{"n_titles": n, "seconds": {"load": n / 1e5, "encode": n / 2e5}} for n in (100_000, 400_000)]
FRONTIER = [
    ("slow", 4e15, 1.1),
    ("quick $", 1e14, 1.4),
    ("worse", 5e14, 1.5),
    ("again", 4e15, 1.2),
    ("best", 2e15, 1.05),
]
SURPRISE = {"token": "\x1b", "surprisal_bits": 1.0, "rank": 1, "nats_per_char": 1.0}
DRAWN: dict[str, Callable[[], str]] = {
    "next token": lambda: next_token.place_figure(PLACE, "a run"),
    "curves": lambda: curves.figure(CURVES, lines={"floor": 1.1}),
    "ladder": lambda: ladder.figure(RUNGS, footnote="3 seeds"),
    "frontier": lambda: frontier.figure(FRONTIER, "Loss over FLOPs"),
    "steps": lambda: performance.steps(STEPS, "a CPU, $2 threads"),
    "sizes": lambda: performance.sizes(SIZES, "a CPU"),
    "preparation": lambda: performance.preparation(STAGES, "a CPU"),
    "attention": lambda: inside.attention_figure(ATTENTION, [(1, head) for head in range(1, 6)]),
}


def texts(svg: str) -> list[str]:
    return ["".join(element.itertext()) for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("name", DRAWN)
def test_a_figure_is_whole_deterministic_and_stands_alone(name: str) -> None:
    first, second = DRAWN[name](), DRAWN[name]()
    assert first == second
    root = ET.fromstring(first)
    assert root.attrib["role"] == "img" and root.attrib["aria-label"] == root[0].text
    assert root[0].tag.endswith("title")
    assert not re.search(r"dc:date|dc:creator|https?://(?!www\.w3\.org|purl\.org|creativecommons\.org)", first)
    assert any(word in " ".join(texts(first)) for word in ("nats/char", "probability", "attention weight", "second"))
    assert len(first) < 100_000


def test_dollars_and_markup_are_text() -> None:
    shown = texts(next_token.place_figure(PLACE))
    assert "·$a" in shown and any("$5 & <b>" in text and "$x$" in text for text in shown)
    assert "·rare_$\\frac (rank 5,000)" in shown and "\\n" in shown and "漢" in shown
    assert "< 0.01%" in shown


HOSTILE = "".join(map(chr, range(0x20))) + "\x7f\x9f\ufffe\uffff<&>"


@pytest.mark.parametrize(
    "drawn",
    [
        lambda: next_token.place_figure({**PLACE, "context": f"{HOSTILE} a\x00b\x1b[31m"}, HOSTILE),
        lambda: inside.attention_figure({**ATTENTION, "run": HOSTILE, "tokens": [HOSTILE, "a"]}, [(1, 1)]),
        lambda: next_token.title_figure({"run": HOSTILE, "text": HOSTILE, "tokens": [SURPRISE], **SURPRISE}),
    ],
    ids=["next token", "attention", "title"],
)
def test_control_characters_are_drawn_as_their_pictures(drawn: Callable[[], str]) -> None:
    shown = " ".join(texts(drawn()))
    assert "\N{SYMBOL FOR ESCAPE}" in shown and not set(map(chr, range(9))) & set(shown)


def test_the_frontier_has_what_nothing_cheaper_is_below() -> None:
    assert [name for name, _, _ in frontier.lowest(FRONTIER)] == ["quick $", "best"]
    shown = texts(frontier.figure(FRONTIER, ""))
    assert "quick $ 1.4000" in shown and "best 1.0500" in shown and not any("slow" in text for text in shown)


def test_the_truth_is_marked_inside_the_top() -> None:
    place = {**PLACE, "truth": {**PLACE["top"][1], "rank": 2, "surprisal_bits": 1.0}}
    svg = next_token.place_figure(place)
    assert "what the title says" in texts(svg) and not any("rank" in text for text in texts(svg))


def test_a_place_is_called_as_the_command_calls_it() -> None:
    assert "Next token at 0,10: a run" in texts(next_token.place_figure(PLACE, "a run"))


def test_curves_leave_out_rows_without_the_metric() -> None:
    assert "first: 1.5000 at the end" in texts(curves.figure(CURVES))
    with pytest.raises(UserError, match="train_loss"):
        curves.figure(CURVES, "train_loss_nats_per_token")


@pytest.fixture(scope="module")
def contents(finished_run: Run, told_run: Run) -> dict[str, Any]:
    """Every question's answer for the tiny run, or for the one that is told facts."""
    cases = {False: Case.open(finished_run), True: Case.open(told_run)}
    return {name: question.answer(cases[question.needs_facts]) for name, question in QUESTIONS.items()}


def test_every_answer_is_drawn_but_the_texts_of_titles(contents: dict[str, Any]) -> None:
    drawn = {name: QUESTIONS[name].figures(content, "tiny") for name, content in contents.items()}
    assert {name for name, files in drawn.items() if files} == set(QUESTIONS) - {"extreme_titles"}
    for files in drawn.values():
        for file, svg in files.items():
            assert file.endswith(".svg") and ET.fromstring(svg).attrib["aria-label"] and len(texts(svg)) > 5
            assert not any("mathdefault" in text for text in texts(svg)), file
            assert file.startswith(("data", "token")) or any("tiny" in text for text in texts(svg)), file
    assert len([file for files in drawn.values() for file in files]) >= 17


def test_two_runs_share_one_figure(contents: dict[str, Any]) -> None:
    other = copy.deepcopy(contents["where_loss"])
    svg = where_loss.figure({"one": contents["where_loss"], "other": other}, None, "prefix")
    assert {"one", "other"} <= set(texts(svg))
    assert PALETTE[0].lower() in svg and PALETTE[1].lower() in svg


@pytest.mark.parametrize("n_runs", [1, 4, 9])
def test_the_legend_lies_between_heading_and_axes(n_runs: int) -> None:
    def build(figure: Figure) -> None:
        left, right = figure.subplots(1, 2)
        for axes, name in ((left, "left"), (right, "right")):
            axes.set_title(name)
            for run in range(n_runs):
                axes.plot([0, 1], [run, run], label=f"run {run}")
        heading(figure, "about them all", left)

    height_of = {
        "".join(element.itertext()): float(re.findall(r"[\d.]+", element.attrib["transform"])[-1])
        for element in ET.fromstring(draw(build, 3.0, "x")).iter("{http://www.w3.org/2000/svg}text")
    }
    runs = [height_of[f"run {run}"] for run in range(n_runs)]
    assert height_of["about them all"] + 9 < min(runs) and max(runs) + 9 < height_of["left"] == height_of["right"]


def test_labels() -> None:
    assert token_label(" a") == "·a" and token_label("  ") == "··" and token_label("") == "(nothing)"
    assert token_label("\x1b[2J") == "\\x1b[2J" and len(token_label("x" * 99)) == 24
    assert percent(1e-9) == "< 0.01%"


def test_figures_need_no_torch_and_say_what_they_need() -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None\n"
        "from sevenepochs.questions.figures import curves, ladder\n"
        "from sevenepochs.questions import inside\n"
        "from sevenepochs.questions.registry import QUESTIONS\n"
        "assert not {'torch', 'rich', 'scipy'} & sys.modules.keys()\n"
        "from sevenepochs.errors import UserError\n"
        "frequent = {'n_tokens': 1, 'top': [{'token': 'a', 'count': 1, 'share': 1.0}]}\n"
        "try: QUESTIONS['token_frequency'].figures(frequent)\n"
        "except UserError as error: assert '.[plots]' in str(error)\n"
        "else: raise SystemExit('drawn without matplotlib')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
