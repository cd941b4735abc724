"""The ladder, the noise floor and the search as a user runs them, on tiny models: done is skipped, stopped is resumed,
scales are never mixed."""

import contextlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import torch
import torch._dynamo

from sevenepochs.campaign.jobs import Job, execute, jobs_for, lock_of, plan
from sevenepochs.campaign.proxy import at_proxy_scale, proxy_name
from sevenepochs.cli.main import main
from sevenepochs.config.old_configs import OLD_KINDS
from sevenepochs.errors import UserError
from sevenepochs.experiment import Experiment
from sevenepochs.store.publishing import publish
from sevenepochs.store.results import Result, result_of
from sevenepochs.store.run import Run, RunWriter, list_runs
from sevenepochs.training.hooks import Progress, Watcher
from sevenepochs.training.interrupt import Interrupted

TINY = [
    "tokenizer.vocab_size=300",
    "batches.batch_size=8",
    "batches.block_size=32",
    "model.n_layer=1",
    "model.n_head=2",
    "model.d_model=8",
    "training.device=cpu",
    "training.precision=fp32",
    "training.compile=off",
]
SETTINGS = [word for setting in TINY for word in ("--set", setting)]


class StopAt(Watcher):
    """A Ctrl-C in the middle of a run."""

    def __init__(self, step: int) -> None:
        self.step = step

    def stepped(self, progress: Progress) -> None:
        if progress.step == self.step:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGINT)


def test_done_is_skipped_stopped_is_resumed_and_other_settings_are_other_jobs(
    tiny: Experiment, finished_run: Run, tmp_path: Path
) -> None:
    runs, nowhere = finished_run.path.parent, tmp_path / "nowhere"
    [job] = jobs_for("tiny", tiny, 1, proxy=False)
    [planned] = plan([job], runs, nowhere)
    assert planned.state == "done" and planned.result == result_of(finished_run)
    assert execute([planned], tmp_path, Watcher()) == [planned] and not list_runs(tmp_path)
    # execution and the corpus's place do not count, settings, seed, name and titles do
    elsewhere = tiny.replace_all({"training.compile": "auto", "training.micro_batches": 2})
    assert plan([Job("tiny", elsewhere)], runs, nowhere)[0].state == "done"
    others = [
        Job("tiny", tiny.replace("optimizer.lr", 1e-5)),
        Job("tiny", tiny.replace("training.seed", 5)),
        Job("other", tiny),
        Job("tiny", tiny.replace("corpus.n_titles", 110)),
        Job("tiny", at_proxy_scale(tiny.replace("corpus.n_titles", 1000))),
    ]
    assert [one.state for one in plan(others, runs, nowhere)] == ["to do"] * 5
    # a published result is as good as the run
    publish(finished_run, tmp_path / "results")
    [published] = plan([job], nowhere, tmp_path / "results")
    assert published.state == "done" and published.result is not None and published.result.run is None
    with pytest.raises(UserError, match="at least 1"):
        jobs_for("tiny", tiny, 0, proxy=False)


def test_a_stopped_job_goes_on_to_the_bit_identical_result(tiny: Experiment, finished_run: Run, tmp_path: Path) -> None:
    [job] = jobs_for("tiny", tiny, 1, proxy=False)
    with pytest.raises(Interrupted):
        execute(plan([job], tmp_path, tmp_path), tmp_path, StopAt(3))
    [stopped] = plan([job], tmp_path, tmp_path)
    assert stopped.state == "resume"
    [done] = execute([stopped], tmp_path, Watcher())
    assert len(list_runs(tmp_path)) == 1 and done.result is not None
    assert done.result.figures == result_of(finished_run).figures


def test_a_job_that_another_process_took_meanwhile_is_not_run_again(
    tiny: Experiment, finished_run: Run, tmp_path: Path
) -> None:
    """Two terminals with one ladder; or one recipe named twice for its noise floor."""
    jobs = jobs_for("tiny", tiny.replace("training.epochs", 1), 1, proxy=False)
    planned = plan([*jobs, *jobs], tmp_path, tmp_path)
    assert [one.state for one in planned] == ["to do", "to do"]
    first, again = execute(planned, tmp_path, Watcher())
    assert first.result is not None and first.result == again.result and len(list_runs(tmp_path)) == 1
    # and a run that was begun in one precision is not gone on with in another
    fp32 = Job("tiny", tiny.replace("training.precision", "bf16"))
    assert plan([fp32], finished_run.path.parent, tmp_path)[0].state == "to do"


@contextlib.contextmanager
def another_process_holds(file: Path) -> Iterator[int]:
    """Yields the id of a process that holds a lock until the end of the block."""
    code = (
        "import sys; from pathlib import Path; from sevenepochs.store.run.lock import Lock\n"
        "lock = Lock(Path(sys.argv[1])); print(flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(file)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as it:
        assert it.stdout is not None and it.stdin is not None
        it.stdout.readline()
        yield it.pid
        it.stdin.close()


def test_a_job_that_another_process_begins_just_now_is_left_alone(tiny: Experiment, tmp_path: Path) -> None:
    """It has no folder before its data is read and its tokenizer trained."""
    job = Job("tiny", tiny.replace("training.epochs", 1))
    lock_of(job, tmp_path).release()
    [file] = (tmp_path / ".jobs").iterdir()
    with another_process_holds(file):
        [one] = execute(plan([job], tmp_path, tmp_path), tmp_path, Watcher())
        assert one.state == "running" and one.run is None and not list_runs(tmp_path)
    [one] = execute(plan([job], tmp_path, tmp_path), tmp_path, Watcher())
    assert one.state == "done"


def test_every_job_is_compiled_however_many_came_before(
    tiny: Experiment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch stops compiling a function after `recompile_limit` kinds of inputs, and says so in a warning only."""
    n_graphs = [0]

    def count(graph: torch.fx.GraphModule, inputs: list[torch.Tensor]) -> Callable[..., object]:
        n_graphs[-1] += 1
        forward: Callable[..., object] = graph.forward
        return forward

    class Jobs(Watcher):
        def started(self, plan: object) -> None:
            n_graphs.append(0)

    compile_ = torch.compile
    monkeypatch.setattr(torch, "compile", lambda function, **kw: compile_(function, backend=count, **kw))
    compiled = tiny.replace_all({"training.compile": "on", "training.epochs": 1, "model.n_layer": 1})
    jobs = [Job(f"width{n}", compiled.replace("model.d_model", 4 * n)) for n in (1, 2)]
    with torch._dynamo.config.patch(recompile_limit=4):
        execute(plan(jobs, tmp_path, tmp_path), tmp_path, Jobs())
    assert n_graphs[1] == n_graphs[2] > 1


def test_a_diverging_recipe_is_marked_and_the_next_one_runs(
    shrink: Callable[[Experiment], Experiment], tmp_path: Path
) -> None:
    from sevenepochs.recipes.story import baseline

    wild = shrink(baseline()).replace_all(
        {"optimizer.lr": 1000.0, "training.grad_clip": "none", "model.init.std": 10.0}
    )
    tame = shrink(baseline()).replace("training.epochs", 1)
    found = execute(plan([Job("wild", wild), Job("tame", tame)], tmp_path, tmp_path), tmp_path, Watcher())
    assert [one.state for one in found] == ["failed", "done"]
    assert plan([Job("wild", wild)], tmp_path, tmp_path)[0].state == "failed"


def test_a_diverging_run_is_told_from_one_that_another_process_begins_meanwhile(
    shrink: Callable[[Experiment], Experiment], tmp_path: Path
) -> None:
    from sevenepochs.recipes.story import baseline

    class SomebodyElse(Watcher):
        """Begins a run of its own before this one has a folder."""

        def message(self, text: str) -> None:
            if not list_runs(tmp_path):
                RunWriter.create(tmp_path, "other", 1, now=datetime(2020, 1, 1, tzinfo=UTC)).close()

    wild = shrink(baseline()).replace_all(
        {"optimizer.lr": 1000.0, "training.grad_clip": "none", "model.init.std": 10.0}
    )
    [one] = execute(plan([Job("wild", wild)], tmp_path, tmp_path), tmp_path, SomebodyElse())
    assert one.state == "failed" and one.run is not None and one.run.recipe == "wild"


def test_the_ladder_the_seed_noise_and_compare_as_a_user_runs_them(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    options = ["--corpus", "sample:200", "--proxy", *SETTINGS]
    assert main(["ladder", "baseline", "adamw", "--dry-run", *options]) == 0
    printed = capsys.readouterr().out
    assert printed.count("to do") == 2 and "nothing was trained" in printed and not Path("runs").exists()
    assert main(["ladder", "baseline", "adamw", "--seeds", "2", "--dry-run", *options]) == 0
    order = [line.split()[:2] for line in capsys.readouterr().out.splitlines() if "to do" in line]
    assert order == [[f"{name}-proxy", seed] for seed in ("1337", "1338") for name in ("baseline", "adamw")]
    assert main(["ladder", "baseline", "adamw", "--json", *options]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert first["against"] is None and second["against"] == "baseline" and second["ratio"] < 1
    assert second["verdict"].startswith("no claim yet: adamw is lower by")
    names = [run.recipe for run in list_runs(Path("runs"))]
    assert sorted(names) == ["adamw-proxy", "baseline-proxy"]  # both may have begun in one second
    assert {run.corpus["name"] for run in list_runs(Path("runs"))} == {"sample-200-proxy"}

    assert main(["noise", "adamw", "--train", "2", "--json", *options]) == 0
    [floor] = json.loads(capsys.readouterr().out)
    assert floor["n"] == 2 and floor["seeds"] == [1337, 1338] and floor["recipe"] == "adamw-proxy"
    assert len(list_runs(Path("runs"))) == 3  # seed 1337 was there already

    assert main(["ladder", "baseline", "adamw", "--log", *options]) == 0
    printed = capsys.readouterr().out
    assert "2 runs: 2 done, 0 to go" in printed and len(list_runs(Path("runs"))) == 3
    assert "Asked: Baseline with AdamW" in printed and "--proxy`, seed 1337" in printed

    assert main(["compare", "baseline-proxy", "adamw-proxy", "--by", "kind", "--by", "place", "--json"]) == 0
    [pair] = json.loads(capsys.readouterr().out)["pairs"]
    assert pair["second"] == "adamw-proxy" and pair["seeds_left_out"] == [1338]
    assert pair["seed_deviation"]["n"] == 2
    places = [part for part in pair["parts"] if part["breakdown"] == "characters before the token"]
    assert sum(part["value"] for part in places) == pytest.approx(pair["difference"]["value"], rel=1e-6)

    assert main(["compare", "baseline-proxy", "adamw-proxy", "--by", "place"]) == 0
    printed = capsys.readouterr().out
    assert "all places'" in printed and "kind" not in printed and "unpaired seeds  1338" in printed

    [run] = [run for run in list_runs(Path("runs")) if run.recipe == "baseline-proxy"]
    assert main(["publish", run.name, "adamw-proxy_s1338", run.name]) == 0
    assert capsys.readouterr().out.count("published to") == 2
    commands = {Result.read(path).facts.command for path in Path("results").glob("*_s1338")}
    assert commands == {f"sevenepochs train adamw --corpus sample:200 --seed 1338 {' '.join(SETTINGS)} --proxy"}
    assert len(list(Path("results").glob("*-proxy_s*"))) == 2
    [published] = Path("results").glob("baseline-proxy_*_sample-200-proxy_s1337")
    result = Result.read(published)
    losses = result.title_losses()
    assert result.is_proxy and losses is not None and run.summary is not None
    assert result.path is not None and [f.name for f in result.path.glob("analysis/*")] == ["title_losses.json"]
    assert losses.exact_val_loss == pytest.approx(run.summary["figures"]["exact_val_loss"], abs=1e-4)
    assert result.facts.command.endswith("--set training.compile=off --proxy")
    assert main(["ladder", "baseline", "adamw", "--check-proxy"]) == 0
    assert "the proxy's ranking is unchecked" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["ladder", "--from", "nothing"], "no rung"),
        (["ladder", "baseline", "adamw", "--from", "adamw", "--to", "baseline"], "comes after"),
        (["ladder", "adamw", "adamw"], "named twice"),
        (["ladder", "adamw", "--check-proxy", "--seeds", "3"], "--check-proxy"),
        (["noise", "adamw", "--set", "optimizer.lr=1"], "--train"),
        (["ladder", "adamw", "--seeds", "0"], "at least 1"),
        (["ladder", "adamw", "--set", "training.seed=3"], "training.seed"),
        (["noise", "adamw", "--train", "3", "--set", "training.seed = 3"], "training.seed"),
        (["ladder", "adamw", "--json", "--log"], "--json"),
        (["noise"], "--train 3"),
        (["noise", "--train", "3"], "noise baseline --train 3"),
        (["compare", "baseline"], "two"),
        (["search", "adamw", "--vary", "optimizer.lrr=1..2"], "optimizer.lrr"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(
    arguments: list[str],
    expected: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(arguments) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ") and "\n" not in error and expected in error
    assert not list(tmp_path.iterdir())


def test_a_recipe_in_a_file_of_another_folder_is_a_rung(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine").mkdir()
    Path("mine/own.py").write_text(
        "from sevenepochs.experiment import Experiment\n"
        "from sevenepochs.recipes.story import adamw\n\n\n"
        "def slower() -> Experiment:\n"
        '    return adamw().replace("optimizer.lr", 1e-4)\n'
    )
    command = ["ladder", "adamw", "mine/own.py:slower", "--corpus", "sample:200", "--proxy", "--json", *SETTINGS]
    for _ in range(2):
        assert main(command) == 0
        _, own = json.loads(capsys.readouterr().out)
        assert own["recipe"] == "own.py:slower" and own["n"] == 1 and own["against"] == "adamw"
    assert len(list_runs(Path("runs"))) == 2


def test_a_ladder_on_several_corpora_is_refused_before_anything_is_trained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("other.py").write_text(
        "from sevenepochs.experiment import Experiment\n"
        "from sevenepochs.recipes.demo import demo_adamw\n\n\n"
        "def fewer() -> Experiment:\n"
        '    return demo_adamw().replace("corpus.n_titles", 200)\n'
    )
    assert main(["ladder", "demo_adamw", "other.py:fewer"]) == 2
    assert "other titles" in capsys.readouterr().err and not Path("runs").exists()


def test_a_dry_run_downloads_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sevenepochs.data.corpus.hub import HubCorpus

    def load(self: HubCorpus) -> None:
        raise AssertionError("nothing may be fetched")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(HubCorpus, "to_fetch", lambda self: "426 MB")
    monkeypatch.setattr(HubCorpus, "load", load)
    assert main(["ladder", "baseline", "--dry-run", "--json"]) == 0
    [row] = json.loads(capsys.readouterr().out)
    assert row == {"run": "baseline", "seed": 1337, "state": "to do", "seconds": None}


def test_a_search_that_is_opened_again_does_not_repeat_its_proposals(tiny: Experiment, tmp_path: Path) -> None:
    pytest.importorskip("optuna")
    from sevenepochs.campaign.search import Search
    from sevenepochs.campaign.space import parse_dimension

    experiment = tiny.replace("corpus.n_titles", 200)
    search = Search("tiny", experiment, (parse_dimension("optimizer.lr=1e-4..1e-2", experiment),), tmp_path)
    assert len({search.open().ask().suggest_float("x", 0, 1) for _ in range(3)}) == 3


def test_a_search_calls_its_runs_as_train_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("optuna")
    monkeypatch.chdir(tmp_path)
    Path("mine.py").write_text("from sevenepochs.recipes.story import adamw\n\n\ndef fast():\n    return adamw()\n")
    options = ["--corpus", "sample:200", *SETTINGS, "--vary", "optimizer.lr=1e-4..1e-2", "--trials", "1"]
    assert main(["search", "mine.py:fast", *options]) == 0
    [run] = list_runs(Path("searches/mine.py-fast"))
    result = result_of(run)
    assert result.facts.command.startswith("sevenepochs train mine.py:fast --corpus sample:200 --seed 1337 ")
    assert result.name.startswith("mine.py-fast-proxy_sample-200")  # a colon is no letter for a folder everywhere


def test_a_search_goes_on_where_it_was_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("optuna")
    from sevenepochs.campaign.search import Search
    from sevenepochs.campaign.space import parse_dimension
    from sevenepochs.cli.options import Titles, experiment_from

    monkeypatch.chdir(tmp_path)
    experiment = experiment_from("adamw", Titles("sample:200"), TINY)
    vary = ["optimizer.lr=1e-4..1e-2:log", "*dropout=0..0.3"]
    search = Search("adamw", experiment, tuple(parse_dimension(v, experiment) for v in vary), Path("searches/adamw"))
    with pytest.raises(Interrupted):
        search.run(2, StopAt(2))
    [stopped] = list_runs(search.folder)
    assert stopped.state == "interrupted" and search.trials(search.open()) == []
    with (
        another_process_holds(search.folder / "search.lock") as pid,
        pytest.raises(UserError, match=f"held by process {pid}"),
    ):
        search.run(2, Watcher())
    command = ["search", "adamw", "--corpus", "sample:200", *SETTINGS, *(w for v in vary for w in ("--vary", v))]
    assert main([*command, "--trials", "2", "--survivors", "1", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert len(found["trials"]) == 2 and len(list_runs(search.folder)) == 2  # the stopped run went on
    assert {run.recipe for run in list_runs(search.folder)} == {proxy_name("adamw")}
    assert all(
        any(setting.startswith("optimizer.lr=") for setting in run.info["settings"]) for run in list_runs(search.folder)
    )
    best, worse = found["trials"]
    assert best["loss"] <= worse["loss"]
    start = next(t for t in found["trials"] if t["settings"]["optimizer.lr"] == pytest.approx(5e-4))
    assert start["settings"]["model.attention.dropout"] == pytest.approx(0.1)  # the recipe as it is came first
    [survivor] = found["survivors"]
    assert survivor.startswith("sevenepochs train adamw --corpus sample:200 --set tokenizer.vocab_size=300")
    assert "proxy" not in survivor
    assert main([*command, "--trials", "2"]) == 0
    assert "too few trials" in capsys.readouterr().out and len(list_runs(search.folder)) == 2
    look = ["search", "adamw", "--corpus", "sample:200", *SETTINGS, "--trials", "0", "--survivors", "1", "--json"]
    assert main(look) == 0  # what varies is kept, and need not be said again
    assert json.loads(capsys.readouterr().out) == found
    old_kinds, space = {new: old for old, new in OLD_KINDS.items()}, search.folder / "search.json"
    as_before = re.sub('"kind": "(.*?)"', lambda found: f'"kind": "{old_kinds[found[1]]}"', space.read_text())
    assert "optim.adamw:AdamW" in as_before
    space.write_text(as_before)
    assert main(look) == 0  # begun by an earlier version
    assert json.loads(capsys.readouterr().out) == found
    assert main(["search", "adamw", "--corpus", "sample:200", "--trials", "2", "--vary", vary[0]]) == 2
    assert "--study" in capsys.readouterr().err
