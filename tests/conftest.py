"""Fixtures that several folders share: small experiments and a cache of their own. One torch thread, so that sums do
not depend on how many cores a machine has. With EVERY_BROWSER_TEST=1 (CI) a skipped browser test fails the session."""

import collections
import functools
import itertools
import math
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import hypothesis
import pytest
import torch

from sevenepochs.data.batches.title_rows import TitleRows
from sevenepochs.data.corpus.file import FileCorpus
from sevenepochs.data.corpus.sample import SampleCorpus, load_grammar
from sevenepochs.errors import UserError
from sevenepochs.experiment import Experiment
from sevenepochs.learning.optim import AdamW
from sevenepochs.model.facts import Facts
from sevenepochs.model.titles import Titles
from sevenepochs.recipes.catalog import load_recipe
from sevenepochs.recipes.listing import list_recipes
from sevenepochs.recipes.story import adamw
from sevenepochs.report.pdf import find_chromium
from sevenepochs.store.run import Run
from sevenepochs.training.hooks import Plan, Progress, Watcher
from sevenepochs.training.trainer import run_training

hypothesis.settings.register_profile("sevenepochs", deadline=None, print_blob=True)
hypothesis.settings.load_profile("sevenepochs")

TINY = {
    "corpus": SampleCorpus(n_titles=100),
    "tokenizer.vocab_size": 300,
    "batches.batch_size": 8,
    "batches.block_size": 32,
    "model.n_layer": 2,
    "model.n_head": 2,
    "model.d_model": 16,
    "training.device": "cpu",
    "training.precision": "fp32",
    "training.compile": "off",
}

# Fixture -> the slots of an experiment that its test reads. Made small, many recipes are the same in them; a test with
# such a fixture runs once for all of those.
DISTINCT_SLOTS = {
    "small_model": ("model", "batches", "training"),
    "small_step": ("model", "batches", "training", "objective", "optimizer"),
}


@functools.cache
def distinct_recipes(slots: tuple[str, ...]) -> dict[tuple[str, ...], Experiment]:
    """Every recipe made small, once per distinct content of the slots: the names of equal recipes -> the first one."""
    groups: dict[str, list[str]] = {}
    for recipe in list_recipes():
        small = load_recipe(recipe.name).replace_all(TINY)
        read = Experiment(**{slot: getattr(small, slot) for slot in slots})
        groups.setdefault(read.fingerprint(), []).append(recipe.name)
    return {tuple(names): load_recipe(names[0]).replace_all(TINY) for names in groups.values()}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for fixture in DISTINCT_SLOTS.keys() & set(metafunc.fixturenames):
        recipes = distinct_recipes(DISTINCT_SLOTS[fixture])
        metafunc.parametrize(fixture, recipes.values(), ids=map(",".join, recipes))


@pytest.fixture(scope="session", autouse=True)
def _one_thread_and_a_cache_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    os.environ["SEVENEPOCHS_CACHE"] = str(tmp_path_factory.mktemp("cache"))
    torch.set_num_threads(1)


def browser_tests(skipped: Iterable[str], root: Path) -> list[str]:
    """Those of the skipped tests (node ids) that are in a file which drives a browser."""
    return [name for name in skipped if re.search("playwright|chromium", (root / name.split("::")[0]).read_text())]


@pytest.hookimpl(tryfirst=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is None or not os.environ.get("EVERY_BROWSER_TEST"):
        return
    skipped = [report.nodeid for report in reporter.stats.get("skipped", [])]
    if found := browser_tests(skipped, session.config.rootpath):
        reporter.write_line(f"\n{len(found)} browser tests were skipped, and here none may be", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def chromium() -> Path:
    """A browser's program."""
    try:
        return find_chromium()
    except UserError as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def shrink() -> Callable[[Experiment], Experiment]:
    """An experiment made small enough for a second: 7 steps an epoch on 90 titles."""
    return lambda experiment: experiment.replace_all(TINY)


@pytest.fixture(scope="session")
def distinct() -> dict[str, dict[tuple[str, ...], Experiment]]:
    """What `small_model` and `small_step` run over: their slots' distinct contents with the names of the recipes."""
    return {fixture: distinct_recipes(slots) for fixture, slots in DISTINCT_SLOTS.items()}


@pytest.fixture(scope="session")
def tiny(shrink: Callable[[Experiment], Experiment]) -> Experiment:
    """The adamw recipe made small."""
    return shrink(adamw())


@pytest.fixture(scope="session")
def told(shrink: Callable[[Experiment], Experiment]) -> Experiment:
    """A tiny experiment that is told a fact, the link, and learns fast."""
    return shrink(adamw()).replace_all(
        {
            "batches": TitleRows(batch_size=8, block_size=32),
            "model.titles": Titles(),
            "model.facts": Facts(),
            "model.d_model": 32,
            "model.embedding_dropout": 0.0,
            "model.attention.dropout": 0.0,
            "model.residual.dropout": 0.0,
            "optimizer": AdamW(lr=5e-3, beta1=0.9, beta2=0.99, weight_decay=0.0),
        }
    )


@pytest.fixture(scope="session")
def told_run(told: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A complete run whose titles' column `n` is the number of the title itself, from 0 to 26, and whose column `time`
    says nothing of it; do not change it."""
    folder = tmp_path_factory.mktemp("told")
    words = itertools.product(range(3), ("Show", "Ask", "Tell"), ("one", "two", "six"))
    titles = [f"{verb} {noun} {n}" for n, verb, noun in words]
    rows = (f"{title},{number},{1.5e9 + i * 1e6:.0f}" for i in range(150) for number, title in enumerate(titles))
    (folder / "titles.csv").write_text("\n".join(["title,n,time", *rows]))
    corpus = {"corpus": FileCorpus(str(folder / "titles.csv")), "model.facts.columns": ("n", "time")}
    return run_training(told.replace_all(corpus), "told", folder / "runs")


class Records(Watcher):
    """Keeps what a run tells its watcher."""

    def __init__(self) -> None:
        self.plans: list[Plan] = []
        self.steps: list[Progress] = []
        self.evaluations: list[tuple[int, dict[str, float | None]]] = []

    def started(self, plan: Plan) -> None:
        self.plans.append(plan)

    def stepped(self, progress: Progress) -> None:
        self.steps.append(progress)

    def evaluated(self, step: int, figures: dict[str, float | None]) -> None:
        self.evaluations.append((step, figures))


@pytest.fixture(scope="session")
def watched_run(tiny: Experiment, tmp_path_factory: pytest.TempPathFactory) -> tuple[Run, Records]:
    """A complete tiny run, trained once, and what its watcher was told; do not change it."""
    watcher = Records()
    return run_training(tiny, "tiny", tmp_path_factory.mktemp("runs"), watcher), watcher


@pytest.fixture(scope="session")
def finished_run(watched_run: tuple[Run, Records]) -> Run:
    """The run of `watched_run`."""
    return watched_run[0]


@pytest.fixture(scope="session")
def tiny_titles() -> dict[str, float]:
    """Every title of the tiny grammar with its probability."""
    grammar = load_grammar("tiny")
    made: dict[str, collections.Counter[str]] = {}
    for name, alternatives in grammar.rules.items():  # children before parents
        made[name] = collections.Counter()
        for probability, symbols in alternatives:
            texts = ([(s, 1.0)] if isinstance(s, str) else made[s.name].items() for s in symbols)
            for parts in itertools.product(*texts):
                made[name]["".join(text for text, _ in parts)] += probability * math.prod(p for _, p in parts)
    return dict(made[grammar.start])
