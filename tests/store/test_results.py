"""results/: written whole from a complete run, small, and free of this machine."""

import csv
import dataclasses
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from sevenepochs.comparison.compare import by_recipe
from sevenepochs.comparison.ladder import Rung
from sevenepochs.comparison.noise import read_noises, seed_noise
from sevenepochs.data.corpus.file import FileCorpus
from sevenepochs.errors import UserError
from sevenepochs.experiment import Experiment
from sevenepochs.metrics import format_metric
from sevenepochs.questions.registry import QUESTIONS, analyze
from sevenepochs.recipes.catalog import list_recipes, load_recipe
from sevenepochs.report.markers import update_page
from sevenepochs.report.readme_figures import HEADLINE, LADDER_FIGURE, figures
from sevenepochs.report.write_docs import FOR_THE_TIME, docs_ladders, headline, sections, table, times, update
from sevenepochs.store.facts import Figures, ResultFacts
from sevenepochs.store.publishing import publish
from sevenepochs.store.results import Result, list_results, result_of
from sevenepochs.store.run import Run, RunWriter
from sevenepochs.training.trainer import run_training

RESULTS = Path(__file__).parents[2] / "results"
Made = Callable[..., Result]


@pytest.fixture(scope="module")
def published(finished_run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    analyze(finished_run)
    return publish(finished_run, tmp_path_factory.mktemp("results"))


def test_a_published_result_reads_back(finished_run: Run, published: Path) -> None:
    result = Result.read(published)
    assert published.name == result.name == "tiny_sample-100_s1337"
    assert finished_run.summary is not None and result.figures.by_name() == finished_run.summary["figures"]
    facts = result.facts
    assert (facts.recipe, facts.seed, facts.run) == (finished_run.recipe, finished_run.seed, finished_run.name)
    assert facts.command.startswith("sevenepochs train tiny ") and facts.config["kind"] and facts.machine.threads
    experiment = Experiment.from_dict(finished_run.config)
    assert facts.training_flop == experiment.step_flop(experiment.build_model(300)) * facts.n_steps
    assert list_results(published.parent)[0].facts == result.facts
    assert sum(f.stat().st_size for f in published.rglob("*") if f.is_file()) < 600_000
    # every standard analysis but the one that holds titles, which stays in the run folder
    published_names = {f.stem for f in (published / "analysis").iterdir()}
    assert published_names == set(QUESTIONS) - {"extreme_titles", "facts"}


def test_the_command_is_one_for_a_shell(tiny: Experiment, tmp_path: Path) -> None:
    titles = tmp_path / "my titles.csv"
    titles.write_text("a,b\n" + "\n".join(f"{i},title number {i}" for i in range(100)))
    there = tiny.replace("corpus", FileCorpus(str(titles), "b"))
    run = run_training(there, "my recipes.py:fast", tmp_path / "runs", settings=["a=1 2"])
    command = "sevenepochs train 'my recipes.py:fast' --corpus 'my titles.csv' --column b --seed 1337 --set 'a=1 2'"
    assert result_of(run).facts.command == command


def test_a_run_can_be_published_as_the_recipe_that_has_its_settings(tiny: Experiment, tmp_path: Path) -> None:
    run = run_training(tiny, "tiny", tmp_path / "runs", settings=["model.n_layer=2"])
    assert result_of(run).facts.command.endswith("--set model.n_layer=2")
    result = Result.read(publish(run, tmp_path, "deeper"))
    assert (result.recipe, result.path and result.path.name) == ("deeper", "deeper_sample-100_s1337")
    assert result.facts.command == "sevenepochs train deeper --corpus sample:100 --seed 1337"


def test_the_curve_has_every_evaluation_and_the_last_step(finished_run: Run, published: Path) -> None:
    rows = list(csv.DictReader((published / "curve.csv").open()))
    evaluations = [row for row in rows if row["event"] == "evaluation"]
    assert [int(row["step"]) for row in evaluations] == [row["step"] for row in finished_run.evaluations()]
    training = [int(row["step"]) for row in rows if row["event"] == "training"]
    assert training[0] == 1 and training[-1] == finished_run.training_curve()[-1]["step"]
    assert training == sorted(set(training)) and len(training) <= 402


def test_publishing_again_replaces_the_result_whole(finished_run: Run, published: Path) -> None:
    (published / "stale.json").write_text("{}")
    assert publish(finished_run, published.parent) == published
    assert not (published / "stale.json").exists()
    assert [p.name for p in published.parent.iterdir()] == [published.name]


def test_a_run_with_other_settings_does_not_take_a_results_place(
    tiny: Experiment, finished_run: Run, published: Path, tmp_path: Path
) -> None:
    """Both are called recipe, corpus and seed."""
    changed = run_training(tiny.replace("optimizer.lr", 1e-5), "tiny", tmp_path)
    before = {file: file.read_bytes() for file in published.rglob("*.json")}
    with pytest.raises(UserError, match="--results"):
        publish(changed, published.parent)
    assert {file: file.read_bytes() for file in published.rglob("*.json")} == before
    assert [p.name for p in published.parent.iterdir()] == [published.name]
    named = run_training(tiny.replace("optimizer.lr", 1e-5), "tiny", tmp_path, settings=("optimizer.lr=1e-5",))
    assert publish(named, published.parent).name == "tiny_optimizer.lr-1e-5_sample-100_s1337"
    (published / "result.json").write_text("{")  # a damaged result is replaced
    publish(finished_run, published.parent)


def test_what_a_killed_publish_left_is_no_result(published: Path, tmp_path: Path) -> None:
    shutil.copytree(published, tmp_path / published.name)
    shutil.copytree(published, tmp_path / f".{published.name}.partial")
    assert [result.path for result in list_results(tmp_path)] == [tmp_path / published.name]


def test_no_folder_of_this_machine_is_published(finished_run: Run) -> None:
    config = finished_run.config
    config["corpus"] = {"kind": "file", "path": "/somebody/secret/titles.txt", "column": None}

    class Elsewhere(Run):
        @property
        def config(self) -> dict:  # type: ignore[type-arg]
            return config

    text = json.dumps(result_of(Elsewhere(finished_run.path)).facts.to_json())
    assert "titles.txt" in text and "secret" not in text


def test_an_incomplete_run_has_no_result(tmp_path: Path) -> None:
    with RunWriter.create(tmp_path, "tiny", 1) as writer:
        path = writer.path
    with pytest.raises(UserError, match="sevenepochs resume"):
        result_of(Run(path))


def test_a_run_without_its_certificate_has_no_result(finished_run: Run, tmp_path: Path) -> None:
    run = Run(shutil.copytree(finished_run.path, tmp_path / finished_run.name))
    (run.path / "certificate.json").unlink()
    with pytest.raises(UserError, match=r"certificate.json .* missing"):
        publish(run, tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_a_damaged_result_is_named(published: Path, tmp_path: Path) -> None:
    broken = tmp_path / "x_sample_s1"
    broken.mkdir()
    (broken / "result.json").write_text((published / "result.json").read_text()[:-40])
    with pytest.raises(UserError, match="damaged"):
        list_results(tmp_path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("recipe", "../../elsewhere"),
        ("recipe", ".hidden"),
        ("recipe", "a`b"),
        ("recipe", 7),
        ("seed", "1/../../x"),
        ("seed", True),
        ("command", "a\n```{include} /etc/hostname"),
        ("n_steps", "seven"),
        ("corpus", {"name": "x"}),
        ("figures", None),
        ("certificate_broken", [{}]),
    ],
)
def test_a_result_decides_neither_where_files_go_nor_what_a_page_is_made_of(
    field: str, value: object, published: Path, tmp_path: Path
) -> None:
    target = shutil.copytree(published, tmp_path / "x")
    data = json.loads((target / "result.json").read_text())
    (target / "result.json").write_text(json.dumps({**data, field: value}))
    with pytest.raises(UserError, match="damaged"):
        Result.read(target)


def test_facts_of_another_schema_version_are_refused(published: Path) -> None:
    data = json.loads((published / "result.json").read_text())
    with pytest.raises(ValueError, match="schema version 2"):
        ResultFacts.from_json({**data, "schema_version": 2})


@pytest.mark.parametrize("file", sorted(RESULTS.glob("*/result.json")), ids=lambda file: file.parent.name)
def test_a_result_is_written_back_byte_for_byte(file: Path) -> None:
    text = file.read_text(encoding="utf-8")
    facts = ResultFacts.from_json(json.loads(text))
    assert json.dumps(facts.to_json(), indent=1, ensure_ascii=False) + "\n" == text


def test_what_a_later_version_adds_stays_and_what_is_changed_is_written(published: Path) -> None:
    data = json.loads((published / "result.json").read_text())
    data = {"later": 1, **data, "machine": {**data["machine"], "cooling": "air"}}
    facts = ResultFacts.from_json(data)
    facts = dataclasses.replace(facts, machine=dataclasses.replace(facts.machine, precision="fp8"))
    data["machine"]["precision"] = "fp8"
    assert json.dumps(facts.to_json()) == json.dumps(data)


def test_what_can_not_be_read_back_is_not_published(finished_run: Run, tmp_path: Path) -> None:
    """One such result would make its whole folder unreadable."""
    copy = shutil.copytree(finished_run.path, tmp_path / "run")
    info = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps({**info, "settings": ["corpus.column=a`b"]}))
    (copy / "sums.json").unlink()  # as if it had been written so
    with pytest.raises(UserError, match="command"):
        publish(Run(copy), tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_a_run_decides_no_place_either(finished_run: Run, tmp_path: Path) -> None:
    copy = shutil.copytree(finished_run.path, tmp_path / "run")
    info = json.loads((copy / "run.json").read_text())
    (copy / "run.json").write_text(json.dumps({**info, "recipe": "../../elsewhere"}))
    (copy / "sums.json").unlink()  # as if it had been written so
    with pytest.raises(UserError, match="no name of a recipe"):
        publish(Run(copy), tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_the_results_table_comes_from_results_and_names_what_is_missing(published: Path, tmp_path: Path) -> None:
    result = Result.read(published)
    text = table([result], expected=("baseline",))
    assert "`baseline` | missing" in text
    assert format_metric("exact_val_loss", result.exact) in text
    parts = sections([result], {})["results/README.md"]
    page = tmp_path / "README.md"
    page.write_text("before\n<!-- results:start -->\nold\n<!-- results:end -->\nafter\n")
    assert update_page(page, parts, check=True) is False
    update_page(page, parts)
    assert "tiny" in page.read_text() and page.read_text().endswith("after\n")
    assert update_page(page, parts, check=True) is True
    page.write_text("no markers")
    with pytest.raises(UserError, match="results:start"):
        update_page(page, parts)


@pytest.fixture()
def made(published: Path) -> Made:
    """made(recipe, loss, day, **facts): a fair result, with the configuration of the recipe where it is one of ours."""
    ours = {recipe.name for recipe in list_recipes()}

    def make(recipe: str, loss: float, day: int = 1, **changes: object) -> Result:
        data = json.loads((published / "result.json").read_text())
        data["figures"]["exact_val_loss"] = loss
        if recipe in ours:
            data["config"] = load_recipe(recipe).to_dict()
        data |= {"recipe": recipe, "created_utc": f"2026-01-{day:02}", "track": "single", "certificate_clean": True}
        return Result(None, ResultFacts.from_json(data | changes))

    return make


def in_stock_rows(result: Result, loss: float | None) -> Result:
    figures = dataclasses.replace(result.figures, exact_val_loss_stock_rows=loss)
    return dataclasses.replace(result, facts=dataclasses.replace(result.facts, figures=figures))


def has(text: str, *facts: str) -> bool:
    """Whether the facts stand in a text in this order."""
    return re.search(".*".join(map(re.escape, facts)), text, re.DOTALL) is not None


def test_below_the_table_stand_broken_rules_and_how_many_runs_came_before_the_record(made: Made) -> None:
    broken = {"certificate_clean": False, "certificate_broken": ["epochs"]}
    results = [made("a", 1.5, 1), made("b", 1.2, 3), made("c", 1.3, 4), made("d", 1.0, 2, **broken)]
    results += [made("b", 1.4, 5, seed=1338), made("c", 1.1, 6, seed=1338)]  # the lowest of all is no official seed's
    rule, best = table(results, ()).split("\n\n")[1:]
    assert "`d_sample-100_s1337`" in rule and "epochs" in rule
    assert has(best, "sample-100", "`b`", "1.2000", "seed 1337", "1.3000", "2 seeds")
    assert re.findall(r"\d+", best)[-1] == "2"  # runs before it


def test_the_headline_names_the_record_beside_stock_and_the_best_public_recipe(made: Made) -> None:
    assert headline([]) == headline([made("a", 1.0)]) == ""  # nothing to set it against
    stock = [made("baseline", 2.0), made("baseline", 1.8, seed=1338)]
    seeds = [made("a", 1.0), made("a", 0.9, seed=1338), made("a", 0.5, seed=1339, certificate_clean=False)]
    beside = headline([*stock, *seeds, made("b", 0.99, seed=1338), made("c", 0.8, track="ensemble")])
    assert has(beside, "`b`", "**0.9900**", "one seed", "48% below", "1.9000")
    assert "public" not in beside
    public, seeds[0] = in_stock_rows(made("public_best", 1.5), 1.52), in_stock_rows(seeds[0], None)
    beside = headline([*stock, *seeds, public])
    assert has(
        beside,
        "`a`",
        "**0.9500**",
        "mean of 2 seeds",
        "50% below",
        "1.9000",
        "37% below",
        "1.5000",
        "0.5500 lower",
        "0.5200 lower",
    )
    lucky = [made("public_best", 1.01), made("public_best", 0.79, seed=1338)]  # recipes are ranked by the official seed
    assert has(headline([*stock, *seeds, *lucky]), "`a`", "6% above", "0.9000", "0.0500 higher")
    assert "rules" not in headline([*stock, made("public_best", 0.9)]), "it is the record itself"


def test_the_times_are_those_of_the_record_and_of_the_laptop_recipes_that_were_run(made: Made) -> None:
    assert times([]) == ""
    seeds = [made("a", 1.0, elapsed_seconds=90.0), made("a", 0.9, seed=1338, elapsed_seconds=30.0)]
    words = made("laptop_words", 1.2, elapsed_seconds=6000.0)
    gpu = {"device": "cuda", "device_name": "Some GPU", "precision": "bf16"}
    on_gpu = made("laptop_words", 1.3, seed=1338, elapsed_seconds=120.0, machine=gpu)
    rows = times([words, *seeds, on_gpu, made("b", 1.1)]).splitlines()[2:]
    machine = seeds[0].machine.words
    assert rows == [
        f"| `a` | 0.9500 | 1.5 min ({machine}) | - |",
        f"| `laptop_words` | 1.2500 | 100 min ({machine}) | 2.0 min (Some GPU, bf16) |",
    ]


def test_a_run_with_other_settings_has_no_time_of_the_recipe(made: Made) -> None:
    words = made("laptop_words", 1.2)
    other = {**words.config, "optimizer": {**words.config["optimizer"], "lr": 0.5}}
    assert "laptop_words" not in times([made("a", 1.0), made("laptop_words", 1.2, config=other)])
    assert "laptop_words" in FOR_THE_TIME and "`laptop_words`" in times([made("a", 1.0), words])


def test_one_changed_result_changes_every_page_and_figure_that_shows_it() -> None:
    pytest.importorskip("matplotlib")
    results = [result for result in list_results(RESULTS) if result.recipe in {"baseline", "public_best", "letters"}]
    changed = [
        dataclasses.replace(r, facts=dataclasses.replace(r.facts, figures=moved(r))) if r.recipe == "letters" else r
        for r in results
    ]
    before, after = (
        {**sections(some, rungs), **figures(some, rungs)} for some, rungs in with_ladders(results, changed)
    )
    old, new = "1.0485", "1.0385"
    for name, parts in {
        "README.md": 2,
        "results/README.md": 1,
        "docs/ladder.md": 1,
        HEADLINE: 1,
        LADDER_FIGURE: 1,
    }.items():
        assert str(before[name]).count(old) >= parts and new not in str(before[name]), name
        assert str(after[name]).count(new) >= parts and old not in str(after[name]), name


def moved(result: Result) -> Figures:
    return dataclasses.replace(result.figures, exact_val_loss=result.exact - 0.01)


def with_ladders(*lists: list[Result]) -> list[tuple[list[Result], dict[str, list[Rung]]]]:
    return [(results, docs_ladders(results, RESULTS)) for results in lists]


def test_the_committed_tables_and_figures_are_those_of_the_committed_results() -> None:
    """`make docs` after every publish: neither README nor docs holds a typed or an old figure."""
    pytest.importorskip("matplotlib")
    assert update(RESULTS.parent, check=True)


def test_every_committed_run_has_its_training_flop() -> None:
    facts = {result.name: result.facts for result in list_results(RESULTS)}
    assert all((one.training_flop is None) == (one.track == "ensemble") for one in facts.values())
    # as `show` says
    assert facts["laptop_letters_hn_titles_s1337"].training_flop == pytest.approx(1.96e15, rel=0.005)


def test_the_committed_seed_deviations_are_those_of_the_committed_results() -> None:
    """What a configuration is called depends on what counts as a recipe: an old floor would judge nothing."""
    root = Path(__file__).parents[2] / "results"
    recipes = [group.results for group in by_recipe(list_results(root)) if len(group.seeds) > 1]
    assert set(map(seed_noise, recipes)) == set(read_noises(root)), "run: sevenepochs noise"


def test_benchmarks_in_results_are_no_runs(published: Path, tmp_path: Path) -> None:
    shutil.copytree(published, tmp_path / published.name)
    (tmp_path / "bench").mkdir()
    (tmp_path / "bench" / "step_a-machine.json").write_text("{}")
    assert [result.name for result in list_results(tmp_path)] == [Result.read(published).name]
