"""`predict`, `sample` and `inside` as a user meets them, on a tiny run and on a published result without torch."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from rich.console import Console

from sevenepochs.ask.model import Model
from sevenepochs.ask.next_token import at_place
from sevenepochs.cli.main import main
from sevenepochs.data.corpus.base import CorpusConfig
from sevenepochs.data.corpus.development import Development
from sevenepochs.data.corpus.hub import HubCorpus
from sevenepochs.data.corpus.sample import SampleCorpus
from sevenepochs.experiment import Experiment
from sevenepochs.questions.next_token import place_view
from sevenepochs.questions.terminal import bar, plain, surprise_style, visible
from sevenepochs.store.run import Run, layout
from sevenepochs.training.trainer import run_training

RESULT = Path(__file__).parents[2] / "results" / "baseline_hn_titles_s1337"
STORED = {
    "row": 0,
    "position": 10,
    "context": "Ring\x1b[31m",
    "top": [{"id": 1, "token": "<eos>", "probability": 0.5}, {"id": 9, "token": " the", "probability": 0.25}],
    "truth": {"id": 9, "token": " the", "probability": 0.25, "rank": 2, "surprisal_bits": 2.0},
}


@pytest.fixture
def run(finished_run: Run) -> str:
    return str(finished_run.path)


@pytest.fixture
def published(tmp_path: Path) -> Path:
    """A result's folder that holds one place."""
    folder = tmp_path / "a_result"
    (folder / "analysis").mkdir(parents=True)
    (folder / "result.json").write_text("{}")
    (folder / "analysis" / "next_token.json").write_text(json.dumps({"places": [STORED]}))
    return folder


def says(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What the command prints."""
    assert main(list(arguments)) == 0
    return capsys.readouterr().out


def answers(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict:  # type: ignore[type-arg]
    """Its JSON."""
    return dict(json.loads(says(capsys, *arguments, "--json")))


def fails(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a mistake prints."""
    assert main(list(arguments)) == 2
    error = capsys.readouterr().err.strip()
    assert error.startswith("error: ") and "\n" not in error
    return error


def test_predict_after_a_text(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = answers(capsys, "predict", run, "--text", "Show HN: A", "--top-k", "4")
    model = Model.load(Run(Path(run)))
    assert found["context"] == "<eos> Show HN: A" and len(found["top"]) == 4
    log_probs_V = model.next_log_probs(model.encode("Show HN: A"))
    assert [row["id"] for row in found["top"]] == log_probs_V.argsort()[::-1][:4].tolist()
    printed = says(capsys, "predict", run, "--text", "Show HN: A", "--top-k", "4")
    assert all(visible(row["token"]) in printed for row in found["top"]) and "▏" in printed


@pytest.mark.parametrize(
    "asked", [["predict", "--text"], ["inside", "--text"], ["sample", "--n=1", "--prompt"]], ids=lambda words: words[0]
)
def test_one_text_is_read_by_one_thread(asked: list[str], run: str, capsys: pytest.CaptureFixture[str]) -> None:
    torch.set_num_threads(2)
    try:
        verb, *options = asked
        says(capsys, verb, run, *options, "Ask HN: Why?")
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(1)


def test_predict_at_a_place_of_the_runs_own_titles(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = answers(capsys, "predict", run, "--at", "0,10", "--top-k", "3")
    model = Model.load(Run(Path(run)))
    data = model.load_data()
    assert found == {"run": Run(Path(run)).name, **at_place(model, data.validation.ids_N, 0, 10, 3)}
    assert found["truth"]["id"] == data.validation.ids_N[11]
    assert "rank" in says(capsys, "predict", run, "--at", "0,10")


def test_predict_along_a_title(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    model = Model.load(Run(Path(run)))
    titles = model.load_titles().validation
    found = answers(capsys, "predict", run, "--title", "7", "--corpus", "sample:100")
    assert found["text"] == titles[7] and found["title"] == 7
    assert [row["id"] for row in found["tokens"]] == [*model.encode(titles[7])[1:], model.eos_id]
    printed = says(capsys, "predict", run, "--title", "7")
    assert "validation title 7" in printed and "nats/char" in printed
    assert "0 to 9" in fails(capsys, "predict", run, "--title", "10")
    assert "0 to 9" in fails(capsys, "predict", run, "--title", "-1")


def test_two_runs_on_one_title(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    found = answers(capsys, "predict", run, "--text", "Ask HN: Why?", "--against", run)
    assert {segment["gained_bits"] for segment in found["segments"]} == {0.0}
    assert "gained" in says(capsys, "predict", run, "--title", "2", "--against", run)


def test_a_published_place_needs_no_weights(published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    printed = says(capsys, "predict", str(published), "--at", "0,10", "--top-k", "2")
    assert "rank 2" in printed and "·the" in printed
    assert "\x1b" not in printed and "\\x1b[31m" in printed


def test_bars_say_how_probable_a_token_is() -> None:
    out = io.StringIO()
    tokens = [{"id": id, "token": "x", "probability": p} for id, p in enumerate((0.5, 0.003))]
    Console(file=out, width=80).print(place_view({"top": tokens}))
    assert [line.count("█") for line in out.getvalue().splitlines()] == [15, 0]


def test_a_prediction_imports_what_it_needs_and_no_more(run: str) -> None:
    code = (
        "import sys; from sevenepochs.cli.main import main\n"
        f"assert main(['predict', {run!r}, '--text', 'Show HN: A']) == 0\n"
        "heavy = {'matplotlib', 'pyarrow', 'transformers', 'optuna', 'starlette'} & set(sys.modules)\n"
        "assert 'torch' in sys.modules and not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_what_a_result_cannot_answer(published: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in (["--at", "0,11"], ["--at", "0,10", "--top-k", "3"], ["--text", "a"], ["--title", "1"]):
        assert "--at 0,10 --top-k 2" in fails(capsys, "predict", str(published), *arguments)
    held = ["predict", str(published), "--at", "0,10", "--top-k", "2"]
    assert "--corpus" in fails(capsys, *held, "--corpus", "sample:50")
    (published / "analysis" / "next_token.json").write_text('{"places": [{}]}')
    assert "is damaged" in fails(capsys, "predict", str(published), "--at", "0,10")
    (published / "analysis" / "next_token.json").unlink()
    assert "nothing" in fails(capsys, "predict", str(published), "--at", "0,10")


@pytest.mark.skipif(not RESULT.is_dir(), reason="the published baseline is not in this checkout")
def test_the_storys_place_of_the_published_baseline(capsys: pytest.CaptureFixture[str]) -> None:
    found = answers(capsys, "predict", str(RESULT), "--at", "0,10")
    assert found["top"][0]["token"] == "<eos>" and len(found["top"]) == 10


def test_a_run_answers_from_its_analysis_unless_a_corpus_is_named(
    run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(run, copy)
    (copy / "analysis").mkdir(exist_ok=True)
    (copy / "analysis" / "next_token.json").write_text(json.dumps({"places": [STORED]}))
    assert answers(capsys, "predict", str(copy), "--at", "0,10", "--top-k", "1")["top"] == STORED["top"][:1]  # type: ignore[index]
    asked = answers(capsys, "predict", str(copy), "--at", "0,10", "--corpus", "sample:100", "--top-k", "1")
    assert asked["context"] != STORED["context"]


def test_samples_repeat_by_seed_and_say_what_they_copied(run: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["sample", run, "--prompt", "Ask HN:", "--n", "3", "--seed", "1"]
    found = answers(capsys, *arguments)
    assert found == answers(capsys, *arguments)
    assert found["not_checked"] is None and 0.0 <= found["verbatim_share"] <= 1.0 and len(found["samples"]) == 3
    printed = says(capsys, *arguments)
    assert all(plain(row["title"]) in printed for row in found["samples"])
    assert "(of 90" in printed


def test_samples_without_the_corpus_say_that_it_was_not_checked(
    run: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from sevenepochs.data.corpus.sample import SampleCorpus
    from sevenepochs.errors import UserError

    def gone(self: SampleCorpus, announce: object = None) -> None:
        raise UserError("the file has gone; pass --corpus")

    monkeypatch.setattr(SampleCorpus, "load", gone)
    found = answers(capsys, "sample", run, "--n", "1")
    assert found["verbatim_share"] is None and found["not_checked"] == "the file has gone; pass --corpus"
    assert "was not checked: the file has gone" in says(capsys, "sample", run, "--n", "1")
    assert "the file has gone" in fails(capsys, "sample", run, "--n", "1", "--corpus", "sample:100")


@pytest.mark.parametrize("corpus", [HubCorpus("2026"), Development(HubCorpus("2026"))], ids=["full", "proxy"])
def test_samples_download_no_titles(
    corpus: CorpusConfig, run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "copy"))
    config = json.loads((copy / layout.CONFIG).read_text())
    (copy / layout.CONFIG).write_text(json.dumps({**config, "corpus": corpus.to_dict()}))
    monkeypatch.setattr(HubCorpus, "is_cached", lambda self: False)
    monkeypatch.setattr(HubCorpus, "load", lambda self, announce: pytest.fail("downloads"))
    not_checked = answers(capsys, "sample", str(copy), "--n", "1")["not_checked"]
    assert "sevenepochs corpus hub --revision 2026" in not_checked


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ([], "layer"),
        (["--layer", "2", "--head", "1"], "layer 2, head 1"),
        (["--view", "lens"], "block 2"),
        (["--view", "neighbours", "--top-k", "2"], "·"),
    ],
    ids=["attention", "map", "lens", "neighbours"],
)
def test_inside(arguments: list[str], expected: str, run: str, capsys: pytest.CaptureFixture[str]) -> None:
    given = ["inside", run, "--text", "Ask HN: Why?", *arguments]
    assert expected in says(capsys, *given)
    assert answers(capsys, *given)["run"] == Run(Path(run)).name


def test_through_time_where_there_are_snapshots(
    tiny: Experiment, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    changes = {"corpus": SampleCorpus(n_titles=40), "training.epochs": 1, "training.snapshots": True}
    run = run_training(tiny.replace_all(changes), "x", tmp_path)
    for text in ("Why?", "Ask HN: who wants this to be a longer title than the table can hold?"):
        printed = says(capsys, "inside", str(run.path), "--view", "time", "--text", text)
        assert all(f"\n{step:>4}" in f"\n{printed}" for step in run.snapshot_steps())
    says(capsys, "inside", str(run.path), "--view", "time", "--text", "Why?", "--figure", str(tmp_path / "time.svg"))
    assert "One title through time: Why?" in (tmp_path / "time.svg").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["predict", "{run}", "--text", "Ask HN:"], "probability"),
        (["predict", "{run}", "--title", "2"], "surprisal (bits)"),
        (["predict", "{run}", "--title", "2", "--against", "{run}"], "bits that run 2 needs less"),
        (["inside", "{run}", "--text", "Ask HN:"], "attention weight"),
        (["inside", "{run}", "--text", "Ask HN:", "--layer", "2", "--head", "1"], "layer 2, head 1"),
        (["inside", "{run}", "--text", "Ask HN:", "--view", "lens"], "What each layer would answer"),
        (["inside", "{run}", "--text", "Ask", "--view", "neighbours"], "cosine in the input embedding"),
    ],
    ids=lambda value: "-".join(word for word in value if word[0] not in "{A") if isinstance(value, list) else "",
)
def test_every_answer_has_a_figure(
    arguments: list[str], expected: str, run: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = [word.replace("{run}", run) for word in arguments]
    drawn = []
    for name in ("one.svg", "two.svg"):
        says(capsys, *given, "--figure", str(tmp_path / name))
        drawn.append((tmp_path / name).read_text(encoding="utf-8"))
    assert drawn[0] == drawn[1] and f">{expected}" in drawn[0] and Run(Path(run)).name in drawn[0]
    assert "cannot write" in fails(capsys, *given, "--figure", str(tmp_path / "none" / "x.svg")).splitlines()[-1]


MISTAKES = {
    "nothing asked": (["predict", "{run}"], "--title"),
    "two asked": (["predict", "{run}", "--text", "a", "--at", "0,1"], "--title"),
    "no place": (["predict", "{run}", "--at", "ten"], "--at 0,10"),
    "outside": (["predict", "{run}", "--at", "64,0"], "outside the window"),
    "no tokens": (["predict", "{run}", "--text", "a", "--top-k", "0"], "1 or more"),
    "against a place": (["predict", "{run}", "--at", "0,1", "--against", "{run}"], "--against"),
    "other titles": (["predict", "{run}", "--title", "0", "--corpus", "sample:50"], "other titles"),
    "no such run": (["predict", "nowhere/at/all", "--text", "a"], "nowhere"),
    "hot": (["sample", "{run}", "--temperature", "11"], "out of range"),
    "nothing to draw from": (["sample", "{run}", "--top-k", "0"], "out of range"),
    "too many": (["sample", "{run}", "--n", "1001"], "out of range"),
    "long prompt": (["sample", "{run}", "--prompt", "word " * 200], "this model reads 128 at once"),
    "no text": (["inside", "{run}"], "--text"),
    "long text to go on from": (["predict", "{run}", "--text", "word " * 200], "this model reads 128 at once"),
    "long text": (["inside", "{run}", "--text", "word " * 200], "this model reads 128 at once"),
    "no head": (["inside", "{run}", "--text", "a", "--layer", "3", "--head", "1"], "layers 1 to 2"),
    "half a head": (["inside", "{run}", "--text", "a", "--layer", "1"], "--head"),
    "no neighbours": (["inside", "{run}", "--token", "a"], "--view neighbours"),
    "a token and a text": (["inside", "{run}", "--view", "neighbours", "--token", "a", "--text", "b"], "one token"),
    "several tokens": (["inside", "{run}", "--view", "neighbours", "--token", "zebra crossing"], "tokens in this"),
    "no snapshots": (["inside", "{run}", "--view", "time", "--text", "a"], "training.snapshots"),
    "no text to predict": (["predict", "{run}", "--text", "\udcff"], "not text"),
    "no text to compare": (["predict", "{run}", "--text", "\udcff", "--against", "{run}"], "not text"),
    "no text to begin with": (["sample", "{run}", "--prompt", "a\udcff"], "not text"),
    "no text to look at": (["inside", "{run}", "--text", "\udcff"], "not text"),
    "no text to be near to": (["inside", "{run}", "--view", "neighbours", "--token", "\udcff"], "not text"),
    "nothing to be near to": (["inside", "{run}", "--view", "neighbours", "--text", " "], "no token"),
    "nothing to draw": (["inside", "{run}", "--view", "neighbours", "--text", " ", "--figure", "x.svg"], "no token"),
}


@pytest.mark.parametrize("name", MISTAKES)
def test_mistakes(name: str, run: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments, expected = MISTAKES[name]
    assert expected in fails(capsys, *(word.replace("{run}", run) for word in arguments))


def test_tokens_cannot_reach_the_terminal_as_control_sequences() -> None:
    assert visible(" the") == "·the" and visible("  ") == "··" and visible("a b ") == "a b·"
    assert visible("\x1b[31m[red]\n") == "\\x1b[31m[red]\\n" and visible("\u202e") == "\\u202e"
    assert bar(0.0) == "" and bar(1.0, 4) == "████" and bar(0.5, 1) == "▌" and bar(2.0, 1) == "█"
    assert [surprise_style(bits) for bits in (-0.0, 3.9, 4.0, 10.0)] == ["green", "green", "yellow", "bold red"]
