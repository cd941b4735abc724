"""Ensembles as folders: what the mixture is, what other verbs make of it, and who cannot be a member."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from sevenepochs.ask.evaluate import evaluate
from sevenepochs.ask.model import Model
from sevenepochs.ask.words import predict_words
from sevenepochs.campaign.ensemble import write_ensemble
from sevenepochs.cli.main import main
from sevenepochs.comparison.ladder import proxy_checks
from sevenepochs.comparison.title_losses import of_run
from sevenepochs.errors import UserError
from sevenepochs.experiment import Experiment
from sevenepochs.protocol.certificate import ensemble_certificate
from sevenepochs.questions import registry
from sevenepochs.report.ensembles import ensembles_table
from sevenepochs.store.publishing import publish
from sevenepochs.store.results import Result, list_results, result_of
from sevenepochs.store.run import Run
from sevenepochs.training.hooks import Watcher
from sevenepochs.training.trainer import run_training


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("runs")


@pytest.fixture(scope="module")
def members(root: Path, tiny: Experiment, finished_run: Run) -> dict[str, Run]:
    """Three tiny runs: two seeds, and one with another tokenizer."""
    shutil.copytree(finished_run.path, root / finished_run.name)
    changed = {"seed": {"training.seed": 1338}, "unigram": {"tokenizer": "unigram", "tokenizer.vocab_size": 280}}
    made = {name: run_training(tiny.replace_all(to), "tiny", root, Watcher()) for name, to in changed.items()}
    return {"first": Run(root / finished_run.name), **made}


def results(members: dict[str, Run], *names: str) -> list[Result]:
    return [result_of(members[name]) for name in names]


@pytest.fixture(scope="module")
def by_tokens(members: dict[str, Run], root: Path) -> Run:
    return write_ensemble(results(members, "first", "seed"), root)


@pytest.fixture(scope="module")
def by_words(members: dict[str, Run], root: Path) -> Run:
    return write_ensemble(results(members, "first", "unigram"), root, name="words")


def exact(run: Run) -> float:
    return result_of(run).exact


def test_its_networks_give_the_loss_that_its_members_kept_losses_gave(by_tokens: Run, members: dict[str, Run]) -> None:
    again = evaluate(by_tokens)
    assert again["figures"]["exact_val_loss"] == pytest.approx(exact(by_tokens), abs=1e-6)
    assert again["causality_violation_nats"] < 1e-4
    assert exact(by_tokens) < np.mean([exact(members["first"]), exact(members["seed"])])


def test_by_words_the_loss_is_below_the_members_mean(by_words: Run, members: dict[str, Run]) -> None:
    assert exact(by_words) < np.mean([exact(members["first"]), exact(members["unigram"])])
    assert of_run(by_words).exact_val_loss == pytest.approx(exact(by_words), abs=1e-9)


def test_its_certificate_names_members_weights_and_totals(by_words: Run, members: dict[str, Run]) -> None:
    certificate = by_words.certificate
    assert certificate is not None and certificate["clean"] and certificate["track"] == "ensemble"
    assert [m["run"] for m in certificate["members"]] == [members["first"].name, members["unigram"].name]
    assert [m["weight"] for m in certificate["members"]] == [0.5, 0.5]
    assert certificate["training"]["forward_passes_per_target"] == 2
    both = " ".join(members[name].name for name in ("first", "unigram"))
    assert result_of(by_words).facts.command == f"sevenepochs ensemble {both} --name words --corpus sample:100"


def test_a_certificate_names_the_rule_that_an_ensemble_breaks(by_words: Run, members: dict[str, Run]) -> None:
    certificates = [member.certificate or {} for member in (members["first"], members["unigram"])]
    listed = (by_words.certificate or {})["members"]
    kept: dict[str, Any] = {"members": listed, "certificates": certificates, "own_loss_error": 0.0}
    others: dict[str, Any] = {"chosen_on": [], "by_words": True, "environment": {}}
    assert ensemble_certificate(**kept, **others)["clean"]
    faults = {
        "members are clean": {"certificates": [certificates[0], {**certificates[1], "clean": False}]},
        "members have the same titles": {"certificates": [certificates[0], {**certificates[1], "split": {}}]},
        "weights sum to 1": {"members": listed[:1]},
        "each character once": {"own_loss_error": 1e-3},
    }
    for rule, fault in faults.items():
        assert ensemble_certificate(**{**kept, **fault}, **others)["broken"] == [rule]


def test_published_members_give_the_same_loss_within_their_rounding(
    members: dict[str, Run], by_words: Run, tmp_path: Path
) -> None:
    published = [Result.read(publish(members[name], tmp_path / name)) for name in ("first", "unigram")]
    again = write_ensemble(published, tmp_path / "runs")
    assert exact(again) == pytest.approx(exact(by_words), abs=2e-4)


@pytest.mark.parametrize("which", ["by_tokens", "by_words"])
def test_the_other_verbs_take_it_like_a_run(
    which: str,
    members: dict[str, Run],
    request: pytest.FixtureRequest,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run: Run = request.getfixturevalue(which)
    runs = ["--runs", str(run.path.parent)]
    assert main(["publish", run.name, "--results", str(tmp_path), *runs]) == 0
    [folder] = tmp_path.iterdir()
    assert json.loads((folder / "result.json").read_text())["track"] == "ensemble"
    published = list_results(tmp_path)
    assert f"`{published[0].recipe}` | bpe 300 0.50, " in ensembles_table(published)
    assert proxy_checks(published) == {} and published[0].facts.training_flop is None
    assert main(["compare", members["first"].name, run.name, "--results", str(tmp_path), *runs]) == 0
    for path in (folder, run.path):
        assert main(["leaderboard", str(path), str(members["first"].path)]) == 0
        assert "track ensemble" in capsys.readouterr().out
    assert main(["predict", run.name, "--text", "Show HN: A", "--json", *runs]) == 0
    top = json.loads(capsys.readouterr().out)["top"]
    assert 0 < sum(row["probability"] for row in top) <= 1 + 1e-6


def test_it_answers_the_questions_that_need_no_layers(by_tokens: Run, by_words: Run) -> None:
    assert "layers" not in registry.questions_to(by_tokens)
    assert "collapse" in registry.analyze(by_tokens, only=["collapse"], again=True)
    assert registry.questions_to(by_words) == []


@pytest.mark.parametrize("verb", [["inside", "--text", "a"], ["analyze"], ["export", "--to", "onnx", "--out", "x"]])
def test_what_it_cannot_answer_is_one_line(verb: list[str], by_words: Run, capsys: pytest.CaptureFixture[str]) -> None:
    name, *rest = verb
    assert main([name, by_words.name, *rest, "--runs", str(by_words.path.parent)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_next_words_of_one_model_are_those_of_its_tokens(members: dict[str, Run]) -> None:
    """Over all words the probabilities sum to at most 1; `<eos>` has its share among the stops."""
    model = Model.load(members["first"])
    found = predict_words([model, model], [0.3, 0.7], "Show HN: A", k=5)
    log_probs_V = model.next_log_probs(model.encode("Show HN: A"))
    stops_V = model.tokenizer.stops()
    ended = np.exp(log_probs_V[model.eos_id]) / np.exp(log_probs_V[stops_V]).sum()
    by_word = {row["token"]: row["probability"] for row in predict_words([model], [1.0], "Show HN: A", k=300)["top"]}
    assert by_word["<eos>"] == pytest.approx(ended, rel=1e-4)
    assert sum(by_word.values()) <= 1 + 1e-6
    assert [row["token"] for row in found["top"]] == list(by_word)[:5]


def test_counts_are_a_member_with_a_chosen_weight(members: dict[str, Run], root: Path, tiny: Experiment) -> None:
    from sevenepochs.campaign.proxy import at_proxy_scale

    proxies = [
        result_of(run_training(at_proxy_scale(tiny.replace("training.seed", seed)), "tiny-proxy", root, Watcher()))
        for seed in (1337, 1338)
    ]
    full = results(members, "first", "seed")
    run = write_ensemble(full, root, name="counts", weights="development", with_counts=True, others=proxies)
    weights = [m["weight"] for m in (run.certificate or {})["members"]]
    assert len(weights) == 3 and sum(weights) == pytest.approx(1)
    assert (run.certificate or {})["weights_chosen_on"] == [proxy.facts.run for proxy in proxies]
    with pytest.raises(UserError, match="has no run there; train one"):
        write_ensemble(full, root, weights="development")
    own = write_ensemble(proxies, root, weights="development")
    assert result_of(own).is_proxy


def test_who_cannot_be_a_member_is_named(members: dict[str, Run], by_tokens: Run, root: Path, tmp_path: Path) -> None:
    first, there = result_of(members["first"]), set(root.iterdir())
    with pytest.raises(UserError, match="at least two members"):
        write_ensemble([first], root)
    with pytest.raises(UserError, match=f"{first.name} is named twice"):
        write_ensemble([first, first], root)
    with pytest.raises(UserError, match="ensemble track"):
        write_ensemble([first, result_of(by_tokens)], root)
    broken = tmp_path / members["seed"].name
    shutil.copytree(members["seed"].path, broken)
    (broken / "sums.json").unlink()
    certificate = json.loads((broken / "certificate.json").read_text())
    (broken / "certificate.json").write_text(json.dumps({**certificate, "clean": False, "broken": ["causal"]}))
    with pytest.raises(UserError, match="certificate is not clean"):
        write_ensemble([first, result_of(Run(broken))], root)
    (broken / "title_losses.safetensors").write_bytes(b"torn")
    (broken / "certificate.json").write_text(json.dumps(certificate))
    with pytest.raises(UserError, match=r"title_losses\.safetensors of run"):
        write_ensemble([first, result_of(Run(broken))], root)
    published = publish(members["seed"], tmp_path / "results")
    told = (published / "result.json").read_text()
    (published / "result.json").write_text(told.replace('"exact_val_loss": ', '"exact_val_loss": 1'))
    with pytest.raises(UserError, match="losses do not add up"):
        write_ensemble([first, Result.read(published)], root)
    assert set(root.iterdir()) == there, "a refused ensemble left a folder"


def test_train_makes_what_is_missing_and_skips_what_is_done(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    changed = ("model.n_layer=1", "model.d_model=16", "model.n_head=2", "batches.batch_size=8", "batches.block_size=32")
    settings = [word for setting in (*changed, "training.compile=off") for word in ("--set", setting)]
    asked = ["ensemble", "--train", "adamw", "--corpus", "sample:100", *settings]
    assert main([*asked, "--members", "2", "--tokenizers", "bpe:300,unigram:280"]) == 0
    assert "mixed word by word" in capsys.readouterr().out
    assert main([*asked, "--members", "3", "--tokenizers", "bpe:300,unigram:280", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [member["seed"] for member in found["members"]] == [1337, 1338, 1339]
    assert len(list(Path("runs").glob("*_adamw_s*"))) == 3
