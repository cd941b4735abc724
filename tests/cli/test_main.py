"""The command line as a user meets it: each verb once, help without torch, mistakes as one line and exit code 2."""

import contextlib
import io
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sevenepochs.cli.console import console
from sevenepochs.cli.main import GROUPS, RENAMED, VERBS, main
from sevenepochs.recipes import RECORD_RECIPE
from sevenepochs.recipes.catalog import load_recipe
from sevenepochs.recipes.listing import LADDER, PUBLIC_BEST, list_recipes
from sevenepochs.store.run import Run

TINY = [
    "tokenizer.vocab_size=300",
    "batches.batch_size=8",
    "batches.block_size=32",
    "model.n_layer=1",
    "model.n_head=2",
    "model.d_model=16",
    "training.device=cpu",
    "training.precision=fp32",
]
SETTINGS = [word for setting in TINY for word in ("--set", setting)]


def fails(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a mistake prints."""
    assert main(list(arguments)) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ") and "\n" not in error and "Traceback" not in error
    return error


def test_list_shows_the_ladder_and_on_demand_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["list", "--json"]) == 0
    modules = {recipe["name"]: recipe["module"] for recipe in json.loads(capsys.readouterr().out)}
    assert set(modules.values()) == {"story", "ladder", "records"} and {*LADDER, PUBLIC_BEST, "rope"} == set(modules)
    assert main(["list"]) == 0
    short = capsys.readouterr().out
    assert main(["list", "--all"]) == 0
    long = capsys.readouterr().out
    for recipe in list_recipes():
        line = re.compile(rf"^{recipe.name} ", flags=re.M)
        assert line.search(long) and bool(line.search(short)) == (recipe.name in modules), recipe.name
    assert f"{RECORD_RECIPE} *" in short
    assert f"{len(list_recipes()) - len(modules)} more" in short and "list --all" not in long


def test_train_runs_compare_eval_publish_from_start_to_end(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["train", "adamw", "--corpus", "sample:100", *SETTINGS]) == 0
    assert main(["train", "baseline", "--corpus", "sample:100", "--seed", "5", *SETTINGS]) == 0
    printed = capsys.readouterr().out
    assert re.search(r"^exact +\d", printed, re.M) and re.search(r"^floor +\d", printed, re.M)
    assert "certificate: clean" in printed and re.search(r"\b1 thread: |\b[2-9]\d* threads: ", printed)
    assert main(["runs"]) == 0
    listed = capsys.readouterr().out
    assert listed.count("complete") == listed.count("model.n_layer=1") == 2  # what was changed
    assert main(["compare", "baseline", "adamw", "--json"]) == 0
    compared = json.loads(capsys.readouterr().out)
    assert compared["comparable"] is True
    by_name = {row["name"]: row for row in compared["results"]}
    assert by_name["baseline_sample-100_s5"]["difference"] == 0.0
    assert by_name["adamw_sample-100_s1337"]["difference"] < 0.0
    exact = {f"{row['figures']['exact_val_loss']:.4f}" for row in compared["results"]}
    for columns, n_lines in ((40, 2), (80, 1), (200, 2)):  # a block a run, a column a run, a line a run
        monkeypatch.setattr(console, "_width", columns)
        assert main(["compare", "baseline", "adamw"]) == 0
        printed = capsys.readouterr().out
        assert " seed 5 against 1337" in " ".join(printed.split()) and "* adamw with " in printed
        table = printed.partition(" against ")[0].splitlines()
        assert any("sample-100_" in line for line in table)  # names are broken behind "_"
        assert sum(any(figure in line for figure in exact) for line in table) == n_lines
        assert all(sum(figure in line for line in table) == 1 for figure in exact) and "…" not in "".join(table)
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)
    assert main(["eval", "adamw", "--json"]) == 0
    scored = json.loads(capsys.readouterr().out.partition("{")[2].join(["{", ""]))
    summary = Run(next(tmp_path.glob("runs/*adamw*"))).summary
    assert summary is not None and scored["figures"] == summary["figures"]
    assert 0 <= scored["causality_violation_nats"] < 1e-4
    assert main(["publish", "adamw"]) == 0
    [published] = (tmp_path / "results").glob("adamw_*_sample-100_s1337")
    names = {"result.json", "curve.csv", "certificate.json", "token_losses.npz", "analysis"}
    assert {p.name for p in published.iterdir()} == names
    content = b"".join(file.read_bytes() for file in published.rglob("*.*") if file.is_file())
    assert str(tmp_path).encode() not in content


def test_eval_on_another_corpus_says_what_the_tokenizer_loses(
    finished_run: Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = tmp_path / "other.txt"
    other.write_text("\n".join(f"Ünïcödé title 漢字 {i}" for i in range(200)), encoding="utf-8")
    assert main(["eval", str(finished_run.path), "--corpus", str(other)]) == 0
    assert "loses text" in capsys.readouterr().out


def test_show_counts_steps_and_flops(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "baseline", "--corpus", "sample:100", "--json", *SETTINGS]) == 0
    facts = json.loads(capsys.readouterr().out)
    assert facts["n_steps"] % 7 == 0 and facts["seconds"] > 0
    assert facts["config"]["optimizer"]["kind"] == "sgd"
    matmul_parameters = 12 * 16**2 + 300 * 16
    assert facts["flop_per_step"] == (6 * matmul_parameters + 12 * 1 * 16 * 32) * 8 * 32
    # what `train` takes, and what it refuses
    command = ["show", "baseline", "--corpus", "sample:100", *SETTINGS, "--set"]
    assert (main([*command, "training.micro_batches=4"]), main([*command, "training.micro_batches=3"])) == (0, 2)


@pytest.mark.parametrize("settings", [[], ["--set", "corpus=development"]], ids=["full", "proxy"])
def test_show_does_not_download(
    settings: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sevenepochs.data.corpus.hub.HubCorpus.is_cached", lambda self: False)
    monkeypatch.setattr("sevenepochs.data.corpus.hub.HubCorpus.load", lambda self, announce: pytest.fail("downloads"))
    assert main(["show", "baseline", *settings]) == 0
    printed = capsys.readouterr().out
    assert "27,172,864" in printed and "FLOPs a step      1.37e+12" in printed and "426 MB" in printed
    assert main(["show", "laptop_words", *settings]) == 0  # word parts: the vocabulary decides the parameters
    printed = capsys.readouterr().out
    assert "parameters, time  known once" in printed and "FLOPs" not in printed


@pytest.mark.parametrize("source", ["sample:500", "file"])
def test_corpus_describes(source: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    if source == "file":
        source = str(tmp_path / "titles.txt")
        Path(source).write_text("\n".join(f"title number {i}" for i in range(50)))
    assert main(["corpus", source, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["n_train"] in (45, 450)
    assert main(["corpus", source]) == 0
    printed = capsys.readouterr().out
    assert ("entropy rate" in printed) is ("floor " in printed) is source.startswith("sample")


def test_a_recipe_from_outside_the_package(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe = tmp_path / "mine.py"
    recipe.write_text(
        "from sevenepochs.recipes.story import adamw\n\n\ndef wider():\n    return adamw().replace('model.n_head', 4)\n"
    )
    arguments = ["train", f"{recipe}:wider", "--corpus", "sample:100", "--runs", str(tmp_path / "runs"), *SETTINGS]
    assert main(arguments) == 0
    unknown = fails(capsys, "train", f"{recipe}:widr")
    assert "'wider'" in unknown and "adamw" not in unknown  # what the file imports is none of its recipes
    recipe.write_text("def broken(:\n")
    assert "SyntaxError" in fails(capsys, "train", f"{recipe}:broken")
    recipe.write_text("def needs(x):\n    return x\n\ndef raises():\n    raise RuntimeError('boom')\n")
    assert "fails: TypeError: needs() missing 1" in fails(capsys, "train", f"{recipe}:needs")
    assert f"fails: {recipe}:5: RuntimeError: boom" in fails(capsys, "show", f"{recipe}:raises")


MISTAKES = {
    "unknown verb": (["trian"], "'train'"),
    "unknown recipe": (["train", "basline"], "'baseline'"),
    "unknown key": (["train", "adamw", "--set", "optimizer.lrr=1"], "'lr'"),
    "no value": (["train", "adamw", "--set", "optimizer.lr"], "KEY=VALUE"),
    "not a number": (["train", "adamw", "--set", "optimizer.lr=fast"], "number"),
    "nan": (["train", "adamw", "--set", "optimizer.lr=nan"], "number"),
    "negative": (["train", "adamw", "--set", "optimizer.lr=-1"], "out of range"),
    "dropout of one": (["train", "adamw", "--set", "model.attention.dropout=1"], "[0, 1)"),
    "heads do not divide": (["train", "adamw", "--set", "model.n_head=7"], "multiple"),
    "no layers": (["train", "adamw", "--set", "model.n_layer=0"], "out of range"),
    "huge seed": (["train", "adamw", "--seed", str(2**40)], "out of range"),
    "missing file": (["train", "adamw", "--corpus", "nowhere.parquet"], "nowhere.parquet"),
    "no such run": (["resume", "nothing"], "nothing"),
    "one run to compare": (["compare", "last"], ""),
    "column without corpus": (["eval", "last", "--column", "title"], "--corpus"),
    **{
        f"column without corpus, {verb[0]}": ([*verb, "--column", "title"], "--corpus")
        for verb in (
            ["predict", "last", "--text", "a"],
            ["sample", "last"],
            ["analyze", "last"],
            ["publish", "last"],
            ["compare", "last", "last"],
            ["serve", "last"],
            ["resume", "last"],
        )
    },
    "figure that is no SVG": (["predict", "last", "--text", "a", "--figure", "x.png"], "name it x.svg"),
    "one seed": (["noise", "adamw", "--train", "1"], "--train 1"),
    "seed that is no number": (["train", "--seed", "x"], "--seed: 'x'"),
    "misspelt option": (["train", "--sed", "5"], "did you mean --seed or"),
    "choice that does not exist": (["inside", "last", "--view", "map"], "'lens'"),
    "no run": (["resume"], "RUN"),
    "misspelt corpus": (["train", "adamw", "--corpus", "sampel"], "did you mean sample?"),
    "no titles": (["train", "adamw", "--corpus", "sample:0"], "sample:0: '0' is not a number of titles from 10"),
    "commas": (["analyze", "last", "--only", "collapse,where_loss"], "--only collapse where_loss"),
    "bad revision": (["train", "adamw", "--revision", "2022"], "2023"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes_are_one_line_and_leave_nothing(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    arguments, expected = MISTAKES[name]
    assert expected in fails(capsys, *arguments)
    assert not list(tmp_path.iterdir())


def test_a_refused_option_is_one_line_in_colour_too(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tyro._fmtlib._FORCE_UTF8_BOXES", True)
    monkeypatch.setattr("tyro._fmtlib._FORCE_ANSI", True)
    assert fails(capsys, "train", "--seed", "x") == "error: --seed: 'x' is no INT; sevenepochs train --help"


CORPORA = {
    "empty": (b"", "txt"),
    "three titles": (b"a\nb\nc\n", "txt"),
    "all equal": (b"same title\n" * 50, "txt"),
    "not utf-8": ("title é\n".encode("latin-1") * 50, "txt"),
    "nul bytes": (b"title \0 x\n" * 50, "txt"),
    "10 MB line": (b"x" * 10_000_000, "txt"),
    "corrupt parquet": (b"PAR1 not really PAR1", "parquet"),
    "wrong column": (b"titel,score\nfirst,1\nsecond,2\n", "csv"),
    "bad json": (b'{"title": "a"}\n{"title": \n', "jsonl"),
    "corrupt gzip": (b"\x1f\x8b\x08 broken", "txt.gz"),
    "too small for a batch": (b"".join(b"title %d\n" % i for i in range(30)), "txt"),
}


@pytest.mark.parametrize("name", CORPORA)
def test_bad_corpora_are_one_line_and_leave_nothing(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    content, ending = CORPORA[name]
    file = tmp_path / f"titles.{ending}"
    file.write_bytes(content)
    fails(capsys, "train", "adamw", "--corpus", str(file), "--runs", str(tmp_path / "runs"))
    assert [p.name for p in tmp_path.iterdir()] == [file.name]


def test_a_folder_that_cannot_be_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    blocked = tmp_path / "runs"
    blocked.write_text("a file where the folder should be")
    fails(capsys, "train", "adamw", "--corpus", "sample:100", "--runs", str(blocked), *SETTINGS)
    assert blocked.read_text() == "a file where the folder should be"


def test_resume_of_a_complete_run_is_refused(finished_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert "complete" in fails(capsys, "resume", str(finished_run.path))


def test_a_terminal_that_knows_ascii_only_gets_question_marks(finished_run: Run) -> None:
    command = [sys.executable, "-m", "sevenepochs", "predict", str(finished_run.path), "--text", "Ask · é"]
    out = subprocess.run(command, env={**os.environ, "PYTHONIOENCODING": "ascii"}, capture_output=True, text=True)
    assert out.returncode == 0 and "?" in out.stdout and not out.stderr


def test_output_into_a_closed_pipe_is_no_error() -> None:
    command = f"{sys.executable} -m sevenepochs list --json | head -c 1"
    done = subprocess.run(["bash", "-c", f"set -o pipefail; {command}"], capture_output=True, text=True, env=os.environ)
    assert "Traceback" not in done.stderr and "Error" not in done.stderr


def test_train_py_is_sevenepochs_train() -> None:
    script = Path(__file__).parents[2] / "train.py"
    assert len(script.read_text().splitlines()) <= 20
    done = subprocess.run([sys.executable, str(script), "--set", "optimizer.lrr=1"], capture_output=True, text=True)
    optimizer = load_recipe(RECORD_RECIPE).to_dict()["optimizer"]["kind"]
    assert done.returncode == 2 and optimizer in done.stderr  # the record recipe is the default


@pytest.mark.parametrize("spelled", [["--folder", "DIR"], ["--folder=DIR"]])
def test_a_renamed_option_is_understood_and_its_new_name_told(
    spelled: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["runs", *(word.replace("DIR", str(tmp_path)) for word in spelled)]) == 0
    out, error = capsys.readouterr()
    assert tmp_path.name in out.replace("\n", "")
    assert len(error.splitlines()) == 1 and "--folder" in error and "--runs" in error


@pytest.mark.parametrize(("verb", "old"), RENAMED)
def test_the_new_name_of_an_option_is_in_the_help_and_the_old_one_is_not(
    verb: str, old: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit):
        main([verb, "--help"])
    text = capsys.readouterr().out
    assert RENAMED[verb, old] in text and old not in text


@pytest.fixture(scope="module")
def helps() -> dict[str, str]:
    """What each verb's --help prints."""
    printed = {}
    for verb in VERBS:
        with contextlib.redirect_stdout(io.StringIO()) as out, pytest.raises(SystemExit) as leaving:
            main([verb, "--help"])
        assert leaving.value.code == 0
        printed[verb] = out.getvalue()
    return printed


def explanation(help_text: str, option: str) -> str | None:
    """What a help says of an option, without its default; None where the verb has no such option."""
    found = re.search(rf"^[│ ]+{option} (.*)", help_text, re.MULTILINE | re.DOTALL)
    words = " ".join(re.sub("[╭╮╰╯─│]", " ", found[1]).split()) if found else ""
    return re.split(r" --|\(default|\(repeatable", words)[0] if found else None


@pytest.mark.parametrize(
    "option", ["--corpus", "--column", "--encoding", "--revision", "--runs", "--results", "--load", "--set", "--seed"]
)
def test_an_option_is_explained_alike_in_every_verb(option: str, helps: dict[str, str]) -> None:
    # the audit's reads other logs' data, `corpus` names its corpus without an option, and samples are drawn from a seed
    others = {"audit", "corpus"} | ({"sample"} if option == "--seed" else set())
    explained = {verb: explanation(text, option) for verb, text in helps.items() if verb not in others}
    found = [text for text in explained.values() if text is not None]
    assert len(found) > 1 and len(set(found)) == 1, explained
    if option in ("--column", "--encoding", "--revision"):
        assert [verb for verb in explained if explanation(helps[verb], "--corpus")] == [
            verb for verb, text in explained.items() if text
        ]


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_without_a_verb_next_steps_and_the_groups_of_verbs_are_shown(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(arguments) == 0
    printed = capsys.readouterr().out
    steps = re.findall(r"^ +(?:\S+/)?sevenepochs ([a-z]+)", printed, re.MULTILINE)
    assert steps[0] == "demo" and set(steps) <= set(VERBS) and "train" in steps
    groups = re.split(r"^([a-z]+)$", printed, flags=re.MULTILINE)[1:]
    verbs = [re.findall(r"^ {4}([a-z]+) {2,}\S", text, re.MULTILINE) for text in groups[1::2]]
    assert dict(zip(groups[::2], verbs, strict=True)) == {group: list(verbs) for group, verbs in GROUPS.items()}


@pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
def test_make_prints_the_same_next_steps() -> None:
    root = Path(__file__).parents[2]
    steps = (root / "src" / "sevenepochs" / "cli" / "next_steps.txt").read_text("utf-8")
    printed = subprocess.run(["make", "-s", "help"], cwd=root, capture_output=True, text=True, check=True).stdout
    assert steps.replace("  sevenepochs", "  .venv/bin/sevenepochs") in printed
