"""The report's sources: the same bytes from the same results, every number from a result, honest about gaps."""

import json
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from sevenepochs.comparison.title_losses import of_run
from sevenepochs.errors import UserError
from sevenepochs.metrics import format_metric
from sevenepochs.questions.case import Case
from sevenepochs.questions.facts import FACTS
from sevenepochs.report.chapter import Chapters
from sevenepochs.report.inputs import collect
from sevenepochs.report.pages import write_sources
from sevenepochs.report.story import Story
from sevenepochs.report.write_docs import headline, table
from sevenepochs.store.results import list_results
from sevenepochs.store.run import Run, RunWriter

ROOT = Path(__file__).parents[2]
PAGES = [page.stem for page in (ROOT / "site").glob("[!_]*.md")]


Copy = Callable[..., Path]
Sources = Callable[[Path, Path], dict[str, str]]


@pytest.fixture()
def sources(foreign_notebooks: Path) -> Sources:
    """sources(root, target): page name -> text of a report on the results in `root`."""

    def write(root: Path, target: Path) -> dict[str, str]:
        write_sources(collect([root], target.parent / "scratch"), target, notebooks=foreign_notebooks)
        return {page: (target / f"{page}.md").read_text() for page in PAGES}

    return write


def test_the_same_results_give_the_same_bytes(sources: Sources, story_results: Path, tmp_path: Path) -> None:
    sources(story_results, tmp_path / "a")
    sources(story_results, tmp_path / "b")
    files = sorted(p.relative_to(tmp_path / "a") for p in (tmp_path / "a").rglob("*") if p.is_file())
    assert files == sorted(p.relative_to(tmp_path / "b") for p in (tmp_path / "b").rglob("*") if p.is_file())
    for file in files:
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes(), file
    assert {"myst.yml", "references.bib", "index.md"} <= {str(f) for f in files}


def test_one_result_changes_and_every_number_changes_with_it(
    sources: Sources, story_results: Path, tmp_path: Path
) -> None:
    before = sources(story_results, tmp_path / "before")
    file = story_results / "demo_sgd_sample-100_s1337" / "result.json"
    data = json.loads(file.read_text())
    data["figures"]["exact_val_loss"] = 4.55555
    file.write_text(json.dumps(data))
    after = sources(story_results, tmp_path / "after")
    old, new = (format_metric("exact_val_loss", value) for value in (3.21091, 4.55555))
    saying = {page for page, text in before.items() if old in text}
    assert {"index", "initial-run", "optimizer-step", "ladder"} <= saying
    for page in PAGES:
        assert old not in after[page], page
        assert (new in after[page]) == (page in saying), page
    ratio = format_metric("val_loss_ratio", 2.10987 / 4.55555)
    assert ratio in after["index"] and ratio in after["ladder"] and ratio in after["optimizer-step"]


def test_a_missing_step_says_so_and_how_to_run_it(
    sources: Sources, story_results: Path, tmp_path: Path, copy_as: Copy
) -> None:
    pages = sources(story_results, tmp_path / "site")
    assert "Not run yet" in pages["rope-step"] and "sevenepochs train rope --corpus sample:100" in pages["rope-step"]
    assert "Not run yet" in pages["index"] and "Not run yet" not in pages["optimizer-step"]
    assert "def rope()" in pages["rope-step"], "the code is shown all the same"
    for page, recipe in {"small-steps": "plateau", "letters": "laptop_letters", "size": "letters"}.items():
        assert f"sevenepochs train {recipe} --corpus sample:100" in pages[page], page
    assert "def orthogonalised(" in pages["small-steps"]
    copy_as(story_results / "demo_sgd_sample-100_s1337", story_results, "rope", exact=1.9)
    pages = sources(story_results, tmp_path / "again")
    assert "Not run yet" not in pages["rope-step"] and "Not run yet" in pages["words"]


def test_a_chapter_is_made_of_the_two_runs_that_its_page_names(
    sources: Sources, published_tiny: Path, tmp_path: Path, copy_as: Copy
) -> None:
    root = tmp_path / "results"
    for recipe, exact in {"adamw": 1.6, "laptop": 1.54321, "laptop_words": 1.43211}.items():
        copy_as(published_tiny, root, recipe, exact=exact)
    before = sources(root, tmp_path / "before")
    for text in ("1.5432", "1.4321", "+ model.embedding = word_parts", "falls by 0.1111 nats/char"):
        assert text in before["words"]
    assert before["words"].count("| 10 |") == 2, "the ten most probable tokens at two places"
    assert (tmp_path / "before" / "figures" / "loss-laptop-laptop_words.svg").is_file()
    assert "| `laptop` | 1.5432 |" in before["title-rows"], "a rung of the table"
    file = root / "laptop_words_sample-100_s1337" / "result.json"
    data = json.loads(file.read_text())
    data["figures"]["exact_val_loss"] = 1.33333
    file.write_text(json.dumps(data))
    after = sources(root, tmp_path / "after")
    assert {"index", "words", "ladder"} <= {page for page in PAGES if before[page] != after[page]}
    assert "1.3333" in after["words"] and not any("1.4321" in text for text in after.values())


def test_what_facts_are_worth_is_told_once_it_was_run(
    sources: Sources, published_tiny: Path, told_run: Run, tmp_path: Path, copy_as: Copy
) -> None:
    root = tmp_path / "results"
    copy_as(published_tiny, root, "laptop_letters", exact=1.6)
    copy_as(published_tiny, root, "laptop_letters", exact=1.9, seed=1338, changed=True)
    before = sources(root, tmp_path / "before")
    assert "sevenepochs train laptop_domain --corpus" in before["context"] and "waits" in before["conclusion"]
    facts = FACTS.answer(Case.open(told_run))
    proxies = [("laptop_domain", True, seed) for seed in (1337, 7)]
    for recipe, proxy, seed in [("laptop_domain_date", False, 1337), *proxies]:
        told = copy_as(published_tiny, root, recipe, seed=seed, proxy=proxy)
        (told / "analysis" / "facts.json").write_text(json.dumps(facts))
        data = json.loads((told / "result.json").read_text())
        (told / "result.json").write_text(json.dumps({**data, "track": "context"}))
    after = sources(root, tmp_path / "after")
    page = after["context"]
    gain = format_metric("val_loss_difference", facts["losses"][0]["gain"])
    assert page.count(gain) >= 2 and "| `laptop_domain-proxy`, proxy | 2 | its own facts |" in page, page
    assert "| `laptop_letters`, full | 1 | trained without | 1.6000 |" in page and "Not run yet" not in page
    assert (tmp_path / "after" / "figures" / "facts-laptop_domain_date.svg").is_file()
    assert "laptop_domain_date" not in after["ladder"].partition("## ")[0]  # never in one table with other tracks


def test_a_page_that_names_no_recipe_stops_the_build(story_results: Path, tmp_path: Path) -> None:
    story = Story.of(collect([story_results], tmp_path / "scratch"))
    assert story.run("laptop") is None and story.run("one") is not None
    with pytest.raises(UserError, match="'laptpo'"):
        story.run("laptpo")


def test_five_headlines_are_cut_into_tokens_and_add_up(
    sources: Sources, story_results: Path, tmp_path: Path, finished_run: Run
) -> None:
    page = sources(story_results, tmp_path / "site")["five-headlines"]
    blocks = page.split("\n|  | ")[1:]
    assert 0 < len(blocks) <= 5
    for block, nats in zip(blocks, of_run(finished_run).nats, strict=False):
        head, _, one, *_ = block.splitlines()
        pieces = re.findall(r"( ?)\{span \.nats-(\d)\}`+ `(.+?)` +([\d.]+) `+", one)
        written = "".join(space + text.replace("·", "") for space, _, text, _ in pieces)  # a lone space is a dot
        assert written.strip() == f"{head.split('`')[1]} <eos>"
        total = one.rstrip(" |").rpartition("| ")[2]
        assert one.startswith("| `demo_sgd` |") and float(total) == pytest.approx(nats, abs=0.06)
        assert {shade for _, shade, _, value in pieces if 4.1 < float(value) < 5.9} <= {"4"}


def test_a_headline_of_a_missing_step_says_so(sources: Sources, story_results: Path, tmp_path: Path) -> None:
    (story_results / "demo_adamw_sample-100_s1337" / "token_losses.npz").unlink()
    page = sources(story_results, tmp_path / "site")["five-headlines"]
    before, *tables = page.split("\n|  | ")
    [missing] = [line for line in before.splitlines() if line.startswith("Missing")]
    assert "`demo_adamw`" in missing and "`laptop`" in missing and "`demo_sgd`" not in missing
    assert all("| `demo_sgd` |" in table and "`demo_adamw`" not in table for table in tables)


def test_the_ladder_page_has_one_row_per_recipe(
    sources: Sources, story_results: Path, tmp_path: Path, copy_as: Copy
) -> None:
    copy_as(story_results / "demo_sgd_sample-100_s1337", story_results, "demo_sgd", exact=3.41091, seed=1338)
    ladder = sources(story_results, tmp_path / "site")["ladder"]
    assert ladder.count("| `demo_sgd` |") == 1 and "| `demo_sgd` | 2 | 3.3109 | 1.0000 |" in ladder


def test_a_lone_result_is_a_site_too(sources: Sources, published_tiny: Path, tmp_path: Path, copy_as: Copy) -> None:
    copy_as(published_tiny, tmp_path / "results", "my_own")
    pages = sources(tmp_path / "results", tmp_path / "site")
    assert "Not run yet" in pages["initial-run"] and "`my_own`" in pages["ladder"]


def test_results_on_other_titles_are_kept_apart(
    sources: Sources, story_results: Path, tmp_path: Path, copy_as: Copy
) -> None:
    other = copy_as(story_results / "demo_sgd_sample-100_s1337", tmp_path, "other")
    data = json.loads((other / "result.json").read_text())
    data["corpus"]["split"]["validation_titles_sha256"] = "0" * 64
    (other / "result.json").write_text(json.dumps(data))
    other.rename(story_results / other.name)
    ladder = sources(story_results, tmp_path / "site")["ladder"]
    above, below = ladder.split("On other titles")
    assert "`other`" in below and "`other`" not in above


def test_the_ladder_page_shows_what_each_technique_gave(
    sources: Sources, published_tiny: Path, tmp_path: Path, copy_as: Copy
) -> None:
    for recipe, exact in {"baseline": 2.5, "adamw": 1.8}.items():
        copy_as(published_tiny, tmp_path / "results", recipe, exact=exact)
    assert "proxy scale, on development titles" not in sources(tmp_path / "results", tmp_path / "full")["ladder"]
    for recipe, exact in {"baseline": 2.6, "adamw": 1.9, "muon": 1.7}.items():
        copy_as(published_tiny, tmp_path / "results", recipe, exact=exact, proxy=True)
    ladder = sources(tmp_path / "results", tmp_path / "both")["ladder"]
    assert "at proxy scale, on development titles" in ladder and "| `muon` | 1 | 1.7000" in ladder
    assert "the proxy orders 1 of 1 pairs" in ladder and "On other titles" not in ladder


def test_the_verdict_has_an_interval_only_where_titles_can_be_paired(
    sources: Sources, story_results: Path, tmp_path: Path
) -> None:
    assert "cannot tell" in sources(story_results, tmp_path / "bare")["optimizer-step"]


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("result.json", "{", "damaged"),
        ("certificate.json", None, "certificate.json is missing"),
        ("curve.csv", "step,event\n", "no evaluation"),
        ("curve.csv", "step,event,exact_val_loss\nx,evaluation,1\n", "damaged"),
        ("analysis/next_token.json", "[]", "damaged"),
        ("result.json", None, "no result.json"),
    ],
)
def test_a_broken_result_is_named_and_nothing_is_written(
    sources: Sources, story_results: Path, tmp_path: Path, name: str, text: str | None, complaint: str
) -> None:
    file = story_results / "demo_adamw_sample-100_s1337" / name
    file.unlink() if text is None else file.write_text(text)
    with pytest.raises(UserError, match=complaint) as error:
        sources(story_results, tmp_path / "site")
    assert "demo_adamw_sample-100_s1337" in str(error.value) and not (tmp_path / "site").exists()


def test_runs_are_taken_as_they_are_and_partial_ones_refused(finished_run: Run, tmp_path: Path) -> None:
    [result] = collect([finished_run.path], tmp_path / "scratch")
    assert result.figures.by_name() == finished_run.summary["figures"]  # type: ignore[index]
    with RunWriter.create(tmp_path / "runs", "tiny", 1) as writer:
        path = writer.path
    with pytest.raises(UserError, match="only a complete run"):
        collect([path], tmp_path / "scratch")
    with pytest.raises(UserError, match="does not exist"):
        collect([tmp_path / "nothing"], tmp_path / "scratch")


def test_a_folder_with_something_in_it_is_left_alone(sources: Sources, story_results: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.md").write_text("years of work")
    with pytest.raises(UserError, match="not empty"):
        sources(story_results, tmp_path / "full")


@pytest.mark.long  # writes all pages; tests/test_heavy_imports.py imports every module of the report
def test_the_report_needs_no_torch(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "class NoTorch:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.partition('.')[0] == 'torch':\n"
        "            raise ImportError('torch was asked for')\n"
        "sys.meta_path.insert(0, NoTorch())\n"
        "from pathlib import Path\n"
        "from sevenepochs.report.inputs import collect\n"
        "from sevenepochs.report.pages import write_sources\n"
        f"write_sources(collect([Path({str(ROOT / 'results')!r})], Path('scratch')), Path('site'))\n"
    )
    subprocess.run([sys.executable, "-c", program], cwd=tmp_path, check=True)
    assert (tmp_path / "site" / "index.md").is_file()


def test_every_download_that_a_page_links_exists(sources: Sources, story_results: Path, tmp_path: Path) -> None:
    for text in sources(story_results, tmp_path / "site").values():
        for link in re.findall(r"\]\(([^)#\s]+)\)", text):
            assert link.startswith("https://") or (tmp_path / "site" / link).is_file(), link


def test_results_without_the_optional_analyses_make_a_site_too(
    sources: Sources, story_results: Path, tmp_path: Path
) -> None:
    for file in story_results.glob("*/analysis/*.json"):
        file.unlink()
    pages = sources(story_results, tmp_path / "site")
    assert "were not analysed" in pages["initial-run"] and "published without" in pages["where-the-loss-is"]


def test_baseline_with_one_layer_is_not_told_as_the_stock_program(
    sources: Sources, published_tiny: Path, tmp_path: Path, copy_as: Copy
) -> None:
    copy_as(published_tiny, tmp_path / "results", "baseline", changed=True)
    copy_as(published_tiny, tmp_path / "results", "adamw", exact=1.5)
    pages = sources(tmp_path / "results", tmp_path / "site")
    assert "Not run yet" in pages["initial-run"] and "Not run yet" not in pages["optimizer-step"]
    assert "`baseline with " in pages["ladder"] and "| `baseline` |" not in pages["ladder"]
    chapters = Chapters(Story.of(collect([tmp_path / "results"], tmp_path / "scratch")), "results")
    assert "baseline with " in str(chapters.overview()) and chapters.first.run is None


def test_the_overview_shows_a_result_that_lacks_a_figure(published_tiny: Path, tmp_path: Path) -> None:
    """result.json names a figure only where it exists (`store.facts.to_json`)."""
    path = Path(shutil.copytree(published_tiny, tmp_path / "results" / published_tiny.name))
    facts = json.loads((path / "result.json").read_text())
    del facts["figures"]["official_val_loss"]
    (path / "result.json").write_text(json.dumps(facts))
    chapters = Chapters(Story.of(collect([tmp_path / "results"], tmp_path / "scratch")), "results")
    assert str(chapters.overview()).splitlines()[-1].split()[-2] == "-"


def test_a_run_that_is_given_a_part_is_told_as_what_it_is(published_tiny: Path, tmp_path: Path, copy_as: Copy) -> None:
    path = copy_as(published_tiny, tmp_path / "results", "baseline", changed=True)
    story = Story.of(collect([tmp_path / "results"], tmp_path / "scratch"), {"first": path.name})
    first = Chapters(story, "run").first
    assert "baseline with " in str(first.figures()) and "baseline with " in repr(first)


def test_a_changed_run_is_no_rung_and_no_stock_in_the_readme(
    published_tiny: Path, tmp_path: Path, copy_as: Copy
) -> None:
    for recipe, exact in {"adamw": 1.5, "muon": 1.4}.items():
        copy_as(published_tiny, tmp_path / "results", recipe, exact=exact)
    copy_as(published_tiny, tmp_path / "results", "baseline", changed=True, exact=2.0)
    results = list_results(tmp_path / "results")
    assert "| `baseline` | missing" in table(results) and "| `baseline with " in table(results)
    assert headline(results) == ""
    story = Story.of(collect([tmp_path / "results"], tmp_path / "scratch"))
    (rungs,) = story.ladders.values()
    assert [rung.recipe for rung in rungs if rung.results] == ["adamw", "muon"]


def on_a_file(folder: Path) -> None:
    """Make the titles of every result those of a file, 1,200 of them."""
    for file in folder.glob("*/result.json"):
        data = json.loads(file.read_text())
        data["corpus"]["kind"] = "file"
        data["corpus"]["split"] |= {"n_train": 1_080, "n_validation": 120}
        file.write_text(json.dumps(data))


def test_demo_adamw_on_a_file_stands_under_its_own_listing(
    sources: Sources, story_results: Path, tmp_path: Path
) -> None:
    on_a_file(story_results)
    pages = sources(story_results, tmp_path / "site")
    assert "def demo_adamw()" in pages["optimizer-step"] and "def adamw()" not in pages["optimizer-step"]
    assert "played by `demo_sgd`" in pages["initial-run"]


def test_the_number_of_titles_is_that_of_the_runs(sources: Sources, story_results: Path, tmp_path: Path) -> None:
    on_a_file(story_results)
    text = sources(story_results, tmp_path / "site")["index"]
    (task,) = (line for line in text.splitlines() if "90,000" in line)
    assert "1,080 and 120" in task and task.startswith("The challenge's corpus")


def test_steps_are_told_of_demo_runs_or_of_real_ones_never_of_both(
    story_results: Path, tmp_path: Path, copy_as: Copy
) -> None:
    copy_as(story_results / "demo_sgd_sample-100_s1337", story_results, "baseline", exact=3.0)
    parts = Story.of(collect([story_results], tmp_path / "scratch")).parts
    assert parts["first"] is not None and parts["first"].result.recipe == "baseline" and parts["one"] is None
