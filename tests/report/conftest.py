"""Small published results to write reports from: one tiny run, published, and copies that play the other parts."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sevenepochs.questions.registry import analyze
from sevenepochs.recipes.configs import expected_config
from sevenepochs.store.facts import ResultFacts
from sevenepochs.store.publishing import publish
from sevenepochs.store.results import Result
from sevenepochs.store.run import Run


@pytest.fixture(scope="session")
def copy_as() -> Callable[..., Path]:
    """copy_as(result, root, recipe, exact=None, seed=1337, proxy=False): a result in `root` that says it is of another
    recipe (with that recipe's configuration, unless it is `changed`), and of development titles if it is a proxy."""

    def copy(
        original: Path,
        root: Path,
        recipe: str,
        *,
        exact: float | None = None,
        seed: int = 1337,
        proxy: bool = False,
        changed: bool = False,
    ) -> Path:
        data = json.loads((original / "result.json").read_text())
        if proxy:
            recipe = f"{recipe}-proxy"
            data["corpus"] |= {"kind": "development", "name": data["corpus"]["name"] + "-proxy"}
            data["corpus"]["split"]["validation_titles_sha256"] = "d" * 64
        data["recipe"], data["seed"] = recipe, seed
        if not changed and (config := expected_config(Result(None, ResultFacts.from_json(data)))):
            kept = data["config"]
            config["training"] = {**kept["training"], **config["training"]}
            data["config"] = {**config, "corpus": kept["corpus"]}
        if exact is not None:
            data["figures"]["exact_val_loss"] = exact
        target = root / f"{recipe}_{data['corpus']['name']}_s{seed}"
        shutil.copytree(original, target)
        (target / "result.json").write_text(json.dumps(data))
        return target

    return copy


@pytest.fixture(scope="session")
def published_tiny(finished_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A published result of a tiny run."""
    analyze(finished_run)
    return publish(finished_run, tmp_path_factory.mktemp("published"))


@pytest.fixture()
def story_results(published_tiny: Path, copy_as: Callable[..., Path], tmp_path: Path) -> Path:
    """A folder with the first two parts of the story."""
    copy_as(published_tiny, tmp_path / "results", "demo_sgd", exact=3.21091)
    copy_as(published_tiny, tmp_path / "results", "demo_adamw", exact=2.10987)
    return tmp_path / "results"


@pytest.fixture(scope="session")
def foreign_notebooks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's notebooks as if somebody had executed them elsewhere: taken as they are, nothing is drawn."""
    folder = tmp_path_factory.mktemp("notebooks")
    for file in (Path(__file__).parents[2] / "notebooks").glob("*.ipynb"):
        text = file.read_text(encoding="utf-8").replace("inputs (results): ", "inputs (train): ")
        (folder / file.name).write_text(text, encoding="utf-8")
    return folder
