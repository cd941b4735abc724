"""Whole runs that are told facts: what gives a title away is used, another title's is not; the oracle; refusals."""

import dataclasses
import json
import math
import os
import signal
from pathlib import Path

import numpy as np
import pytest

from sevenepochs.ask.evaluate import evaluate
from sevenepochs.ask.model import Model
from sevenepochs.cli.main import main
from sevenepochs.data.corpus.development import Development
from sevenepochs.data.corpus.sample import SampleCorpus
from sevenepochs.data.titles import title_chars
from sevenepochs.errors import UserError
from sevenepochs.experiment import Data, Experiment
from sevenepochs.protocol.scoring import exact_log_probs, title_losses
from sevenepochs.store.results import Result
from sevenepochs.store.run import Run, list_runs
from sevenepochs.training.hooks import Progress, Watcher
from sevenepochs.training.interrupt import Interrupted
from sevenepochs.training.trainer import resume_training, run_training

TITLES = [f"{verb} {noun} {n}" for n in range(3) for verb in ("Show", "Ask", "Tell") for noun in ("one", "two", "six")]


def nats_by_title(model: Model, data: Data, codes: np.ndarray) -> np.ndarray:
    scored = data.told(codes)
    rows = model.experiment.scoring_rows(data)
    log_probs = exact_log_probs(model.scorer, scored.ids_N, scored.eos_id, rows)
    return title_losses(log_probs, data.validation.ids_N, data.tokenizer.eos_id)


def test_a_fact_that_gives_the_title_away_is_used_and_another_titles_is_not(told_run: Run) -> None:
    model = Model.load(told_run)
    data = model.load_data()
    assert data.facts is not None and told_run.summary is not None
    codes = data.facts.codes[1]
    losses = {
        name: nats_by_title(model, data, of_titles).sum() / data.validation.n_chars
        for name, of_titles in {"own": codes, "none": 0 * codes, "others": np.roll(codes, 1)}.items()
    }
    assert losses["own"] == pytest.approx(told_run.summary["figures"]["exact_val_loss"], abs=1e-6)
    guess = math.log(len(TITLES)) / (np.mean([len(t) for t in TITLES]) + 5)  # of a title out of all
    assert losses["own"] < 0.2 * guess and losses["none"] > 0.8 * guess and losses["others"] > 3 * guess
    again = evaluate(told_run)["figures"]["exact_val_loss"]
    assert again == pytest.approx(losses["own"], abs=1e-6)


def test_its_certificate_is_of_the_context_track_and_names_the_facts(told_run: Run) -> None:
    certificate = told_run.certificate
    assert certificate is not None and certificate["clean"] and certificate["track"] == "context"
    assert certificate["facts"]["columns"] == ["n", "time"]
    assert certificate["facts"]["sha256"] == told_run.corpus["split"]["facts_sha256"]


def test_a_fact_is_told_by_name(told_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    asked = ["predict", str(told_run.path), "--text", "", "--json", "--top-k", "1"]
    tops = {}
    for number in (0, 5):
        assert main([*asked, "--facts", f"n={number}"]) == 0
        found = json.loads(capsys.readouterr().out)
        tops[number] = (found["top"][0]["token"], found["top"][0]["probability"])
    assert tops[0] != tops[5] and min(p for _, p in tops.values()) > 0.8
    assert main(["sample", str(told_run.path), "--n", "1", "--temperature", "0", "--facts", "n=4", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["samples"][0]["title"] == TITLES[4]
    against = ["predict", str(told_run.path), "--text", TITLES[4], "--against", str(told_run.path), "--json"]
    assert main([*against, "--facts", "n=4"]) == 0
    first, second = json.loads(capsys.readouterr().out)["runs"]
    assert second["surprisal_bits"] < 1.5 < 3 < first["surprisal_bits"]


def test_the_command_line_names_columns(capsys: pytest.CaptureFixture[str]) -> None:
    corpus = ["--corpus", "sample:200", "--json"]
    assert main(["corpus", "sample:200", "--facts", "url,time", "--json"]) == 0
    link, time = json.loads(capsys.readouterr().out)["facts"]
    assert (link["kind"], time["kind"], link["n_values"], link["share_none"]) == ("link", "time", 10, 0.0)
    assert main(["show", "demo_record", *corpus, "--facts", "url,time:value"]) == 0
    assert json.loads(capsys.readouterr().out)["config"]["model"]["facts"]["columns"] == ["url", "time:value"]
    for verb in ("show demo_record --facts href", "show demo_sgd --facts url", "corpus sample:200 --facts href"):
        assert main([*verb.split(), *(corpus if "show" in verb else [])]) == 2
        assert capsys.readouterr().err.count("\n") <= 2  # a line of counts, and the error's


def test_wrong_facts_are_one_line(told_run: Run, finished_run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    ask = ["predict", str(told_run.path), "--text", "Show"]
    for line, part in {
        (*ask, "--facts", "m=1"): "known: n, time",
        (*ask, "--facts", "n"): "NAME=VALUE",
        ("predict", str(told_run.path), "--at", "0,1", "--facts", "n=1"): "--text",
        ("predict", str(finished_run.path), "--text", "Show", "--facts", "n=1"): "titles alone",
    }.items():
        assert main(list(line)) == 2
        error = capsys.readouterr().err
        assert part in error and error.count("\n") == 1, error


@pytest.mark.parametrize(
    ("change", "part"),
    [
        ({"model.facts.columns": ("views",)}, "'views'"),
        ({"batches": "stream"}, "title_rows"),
        ({"batches": "shuffled_stream"}, "title_rows"),
    ],
)
def test_what_cannot_be_told_is_refused_before_there_is_a_folder(
    change: dict[str, object], part: str, told: Experiment, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=part):
        run_training(told.replace_all(change), "refused", tmp_path / "runs")
    assert list_runs(tmp_path / "runs") == []


def test_what_facts_are_worth_is_published_at_proxy_scale_too(told: Experiment, tmp_path: Path) -> None:
    small = told.replace_all({"corpus": Development(SampleCorpus(400)), "training.epochs": 1})
    run = run_training(
        small, "told-proxy", tmp_path / "runs", settings=["model.facts=facts", "model.facts.columns=url"]
    )
    assert main(["publish", str(run.path), "--results", str(tmp_path / "results")]) == 0
    (folder,) = (tmp_path / "results").iterdir()
    assert {file.stem for file in (folder / "analysis").iterdir()} == {"facts", "title_losses"}
    result = Result.read(folder)
    assert result.facts.track == "context" and result.facts.command.endswith(" --set model.facts.columns=url --proxy")
    content = json.loads((folder / "analysis" / "facts.json").read_text())
    assert content["floors"]["own"] == result.figures.floor_val_loss < content["floors"]["none"]


class Stops(Watcher):
    def stepped(self, progress: Progress) -> None:
        if progress.step == 3:
            os.kill(os.getpid(), signal.SIGINT)


def test_a_resumed_run_is_told_the_same_facts(told: Experiment, tmp_path: Path) -> None:
    experiment = told.replace_all({"training.epochs": 1, "training.micro_batches": 2})
    whole = run_training(experiment, "whole", tmp_path)
    with pytest.raises(Interrupted):
        run_training(experiment, "part", tmp_path, Stops())
    (part,) = [run for run in list_runs(tmp_path) if run.recipe == "part"]
    resumed = resume_training(part, experiment)
    assert resumed.summary is not None and whole.summary is not None
    assert resumed.summary["figures"] == whole.summary["figures"]
    file = part.path / "corpus.json"
    file.write_text(file.read_text().replace('"facts_sha256": "', '"facts_sha256": "0'))
    with pytest.raises(UserError, match="other facts"):
        Model.load(Run(part.path)).load_data()


def test_the_oracle(told: Experiment, tmp_path: Path) -> None:
    """A small model gains what the fact is known to be worth, and not more than chance allows."""
    experiment = told.replace_all(
        {"corpus": SampleCorpus(6_000, grammar="tiny"), "batches.batch_size": 16, "batches.block_size": 64}
    )
    experiment = experiment.replace_all({"model.d_model": 48, "model.facts.columns": ("url", "time")})
    run = run_training(experiment, "oracle", tmp_path)
    model = Model.load(run)
    data = model.load_data()
    titles, chars = data.split.validation, title_chars(data.split.validation)
    assert data.facts is not None and run.summary is not None
    codes = data.facts.codes[1]
    own, none, others = (
        nats_by_title(model, data, some) for some in (codes, 0 * codes, np.random.default_rng(0).permutation(codes))
    )
    floors = data.corpus.floor(titles), data.floor()
    assert floors[0] is not None and floors[1] is not None
    assert run.summary["figures"]["floor_val_loss"] == floors[1].value_nats_per_char
    worth = floors[0].value_nats_per_char - floors[1].value_nats_per_char
    gain = none - own
    standard_error = math.sqrt(len(gain)) * float((gain - gain.sum() / chars.sum() * chars).std()) / chars.sum()
    share = gain.sum() / chars.sum() / worth
    assert share >= 0.8 and gain.sum() / chars.sum() <= worth + 4 * standard_error, share
    assert own.sum() / chars.sum() > floors[1].value_nats_per_char - 4 * floors[1].standard_error
    assert others.sum() > none.sum() > own.sum()


def test_only_the_facts_slot_differs(told: Experiment) -> None:
    plain = told.replace("model.facts", None)
    data = plain.load_data()
    assert data.facts is None and data.scored is data.validation and "facts_sha256" not in data.fingerprint()
    with_facts = told.load_data()
    x_BT, y_BT = told.build_batches(with_facts).batch(1)
    plain_x_BT, plain_y_BT = plain.build_batches(data).batch(1)
    assert np.array_equal(x_BT % with_facts.tokenizer.vocab_size, plain_x_BT) and np.array_equal(y_BT, plain_y_BT)
    opens_BT = (plain_x_BT == 1) & (y_BT >= 0)  # a title; the rest is padding
    assert np.array_equal(x_BT // with_facts.tokenizer.vocab_size > 0, opens_BT)
    assert dataclasses.asdict(data.corpus)["source"] == dataclasses.asdict(with_facts.corpus)["source"]
