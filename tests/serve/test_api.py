"""The server's answers are right: predictions, curves, details and titles of the runs that it was given."""

import gc
import json
import shutil
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from sevenepochs.ask.model import Model
from sevenepochs.data.corpus.base import CorpusConfig
from sevenepochs.data.corpus.development import Development
from sevenepochs.data.corpus.file import FileCorpus
from sevenepochs.data.corpus.hub import HubCorpus
from sevenepochs.questions import where_loss
from sevenepochs.questions.case import Case
from sevenepochs.serve import answers
from sevenepochs.serve.guard import Limits
from sevenepochs.serve.models import OpenModels
from sevenepochs.store.run import Run, layout
from tests.serve.conftest import Served, ask


def test_every_place_sums_to_one_and_agrees_with_the_reader(client: TestClient, copies: tuple[Run, Run]) -> None:
    text = "Show HN: A naïve 🙂 test"
    for run in copies:
        answer = ask(client, run, text).json()
        assert len(answer["places"]) == len(answer["tokens"]) + 1
        for place in answer["places"]:
            assert sum(c["probability"] for c in place["top"]) + place["rest"] == pytest.approx(1.0, abs=1e-5)
            assert [c["probability"] for c in place["top"]] == sorted(
                (c["probability"] for c in place["top"]), reverse=True
            )
        model = Model.load(run)
        context = model.encode(text)
        log_probs_TV = model.all_log_probs(context)
        expected = [-log_probs_TV[t, id] / np.log(2) for t, id in enumerate(context[1:])]
        assert [token["bits"] for token in answer["tokens"]] == pytest.approx(expected, abs=1e-4)
        assert answer["bits"] == pytest.approx(sum(expected), abs=1e-3)
        last = log_probs_TV[-1]
        assert answer["places"][-1]["top"][0]["probability"] == pytest.approx(float(np.exp(last.max())), abs=1e-6)


def test_spans_lie_in_the_typed_text_and_ranks_name_the_typed_token(
    client: TestClient, copies: tuple[Run, Run]
) -> None:
    text = "Ask HN: naïve 🙂<eos>Show"
    for run in copies:
        answer = ask(client, run, text).json()
        covered = "".join(text[stop_before:stop] for stop_before, stop in _steps(answer["tokens"]))
        assert covered == text
        for token, place in zip(answer["tokens"], answer["places"], strict=False):
            if token["rank"] <= len(place["top"]):
                found = place["top"][token["rank"] - 1]
                assert found["text"] == token["text"]
                assert found["probability"] == pytest.approx(token["probability"])


def _steps(tokens: list[dict[str, Any]]) -> list[tuple[int, int]]:
    stops = sorted({token["stop"] for token in tokens})
    return list(zip([0, *stops], stops, strict=False))


def test_typing_on_and_back_gives_what_a_fresh_server_gives(
    client: TestClient, copies: tuple[Run, Run], client_of: Served
) -> None:
    run = copies[0]
    text = "Show HN: A small test"
    typed = [*(text[:n] for n in range(len(text) + 1)), text[:9], "Ask" + text[4:], text]
    for beginning in typed:
        assert ask(client, run, beginning).status_code == 200
    reused = ask(client, run, text).json()
    with client_of([run]) as fresh_client:
        fresh = ask(fresh_client, run, text).json()
    assert [t["bits"] for t in reused["tokens"]] == pytest.approx([t["bits"] for t in fresh["tokens"]], abs=1e-4)
    for a, b in zip(reused["places"], fresh["places"], strict=True):
        assert [c["probability"] for c in a["top"]] == pytest.approx([c["probability"] for c in b["top"]], abs=1e-5)


def test_what_is_shown_of_a_beginning_is_made_once(
    client: TestClient, copies: tuple[Run, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    ask(client, copies[0], "Show HN: A sm")
    monkeypatch.setattr(answers, "_expected", lambda *given: pytest.fail("made again"))
    assert ask(client, copies[0], "Show HN: A sm").status_code == 200


def test_a_run_is_told_facts_and_others_refuse_them(told_run: Run, finished_run: Run, client_of: Served) -> None:
    with client_of([told_run, finished_run]) as client:
        told, plain = client.get("/api/runs").json()["runs"]
        assert [fact["name"] for fact in told["facts"]] == ["n", "time"] and "facts" not in plain
        assert sorted(told["facts"][0]["known"], key=int) == [str(n) for n in range(27)]
        text = "Show one 0"
        nothing, right, wrong = (
            ask(client, told_run, text, facts=facts).json()["bits"] for facts in ({}, {"n": "0"}, {"n": "5"})
        )
        assert right < nothing < wrong and ask(client, told_run, text).json()["bits"] == nothing
        for run, facts in ((finished_run, {"n": "0"}), (told_run, {"m": "0"}), (told_run, {"n": 3}), (told_run, [])):
            answer = ask(client, run, text, facts=facts)
            assert answer.status_code == 422 and answer.json()["error"].count("\n") == 0


def test_a_space_at_the_end_is_not_read(client: TestClient, copies: tuple[Run, Run]) -> None:
    with_space, without = (ask(client, copies[0], text).json() for text in ("Show HN ", "Show HN"))
    assert with_space["tokens"] == without["tokens"]
    assert with_space["text"] == "Show HN "


def test_a_run_that_vanishes_is_named_and_the_other_goes_on(client: TestClient, copies: tuple[Run, Run]) -> None:
    first, second = copies
    assert ask(client, first, "Show").status_code == 200
    shutil.rmtree(first.path)
    gone = ask(client, first, "Show H")
    assert gone.status_code == 410
    assert first.name in gone.json()["error"]
    assert "gone" in gone.json()["error"]
    assert str(first.path.parent) not in gone.text
    states = {run["name"]: run["state"] for run in client.get("/api/runs").json()["runs"]}
    assert states == {first.name: "gone", second.name: "complete"}
    assert ask(client, second, "Show").status_code == 200
    assert client.get(f"/api/curves/{first.name}").status_code == 410


@pytest.mark.parametrize("name", [layout.MODEL, layout.CONFIG, layout.TOKENIZER, layout.RUN])
def test_a_damaged_run_says_what_is_damaged(copies: tuple[Run, Run], name: str, client_of: Served) -> None:
    first, second = copies
    (first.path / name).write_bytes(b"{ not this")
    with client_of([first, second]) as client:
        answer = ask(client, first, "Show")
        assert answer.status_code == 410
        assert name in answer.json()["error"]
        assert ask(client, second, "Show").status_code == 200
        assert client.get("/api/runs").status_code == 200


def test_weights_that_become_damaged_are_noticed(client: TestClient, copies: tuple[Run, Run]) -> None:
    assert ask(client, copies[0], "Show").status_code == 200
    (copies[0].path / layout.MODEL).write_bytes(b"not tensors")
    answer = ask(client, copies[0], "Show")
    assert answer.status_code == 410
    assert layout.MODEL in answer.json()["error"]


def test_weights_that_change_are_read_again(client: TestClient, copies: tuple[Run, Run]) -> None:
    first, second = copies
    before = ask(client, first, "Show").json()["bits"]
    for name in (layout.MODEL, layout.TOKENIZER, layout.CONFIG):
        shutil.copy(second.path / name, first.path / name)
    assert ask(client, first, "Show").json()["bits"] != before


def test_a_run_without_a_model_still_has_curves(copies: tuple[Run, Run], client_of: Served) -> None:
    run = copies[0]
    (run.path / layout.SUMMARY).unlink()
    with client_of([run]) as client:
        assert ask(client, run, "Show").status_code == 409
        assert client.get(f"/api/titles/{run.name}").status_code == 409
        found = client.get(f"/api/curves/{run.name}").json()
    assert found["state"] == "interrupted"
    assert [row["exact_val_loss"] for row in found["evaluations"]] == [
        row["exact_val_loss"] for row in run.evaluations()
    ]
    assert found["evaluations"][-1]["epoch"] == pytest.approx(7.0)
    assert found["epochs"] == 7


def test_curves_are_thinned_by_averaging(copies: tuple[Run, Run], client_of: Served) -> None:
    run = copies[0]
    with client_of([run], Limits(curve_points=5)) as client:
        found = client.get(f"/api/curves/{run.name}").json()
    training = [row["train_loss_nats_per_token"] for row in run.training_curve()]
    width = found["steps_per_training_point"]
    assert len(found["training"]) <= 5
    assert found["training"][0]["train_loss_nats_per_token"] == pytest.approx(np.mean(training[:width]))


def change_corpus(run: Run, corpus: CorpusConfig) -> None:
    config = json.loads((run.path / layout.CONFIG).read_text())
    (run.path / layout.CONFIG).write_text(json.dumps({**config, "corpus": corpus.to_dict()}))


@pytest.mark.parametrize("is_proxy", [False, True], ids=["full", "proxy"])
def test_details_hold_the_certificate_and_no_folder(
    client: TestClient, copies: tuple[Run, Run], is_proxy: bool
) -> None:
    run, titles = copies[0], FileCorpus("/some/where/titles.txt")
    change_corpus(run, Development(titles) if is_proxy else titles)
    answer = client.get(f"/api/details/{run.name}")
    assert answer.json()["certificate"] == run.certificate
    corpus = answer.json()["config"]["corpus"]
    assert (corpus["of"] if is_proxy else corpus)["path"] == "titles.txt"
    assert "/some/where" not in answer.text
    assert answer.json()["figures"][0]["text"].endswith("nats/char")


def test_worst_and_best_titles_are_those_of_the_stored_losses(client: TestClient, copies: tuple[Run, Run]) -> None:
    run = copies[0]
    found = client.get(f"/api/titles/{run.name}").json()
    bits = run.load_tensors(layout.TITLE_LOSSES)["nats"] / np.log(2)
    assert found["n_titles"] == len(bits)
    assert found["bits"]["worst"][0]["bits"] == pytest.approx(bits.max())
    assert found["bits"]["best"][0]["number"] == int(bits.argmin())
    for row in found["nats_per_char"]["worst"]:
        assert row["nats_per_char"] == pytest.approx(row["bits"] * np.log(2) / (len(row["title"]) + len("<eos>")))


def test_worst_and_best_are_those_of_the_analysis_also_of_a_proxy_run(
    finished_run: Run, proxy_run: Run, client_of: Served
) -> None:
    """The proxy run's titles are cut in its own way, and some hold a literal `<eos>`."""
    with client_of([finished_run, proxy_run]) as client:
        for run in (finished_run, proxy_run):
            case = Case.open(run)
            expected = where_loss.compute_extremes(case)
            found = client.get(f"/api/titles/{run.name}").json()
            assert found["n_titles"] == len(case.data.split.validation)
            for end in ("worst", "best"):
                rows = found["nats_per_char"][end]
                assert [row["number"] for row in rows] == [row["index"] for row in expected[end]]
                assert [row["title"] for row in rows] == [row["text"] for row in expected[end]]
                assert [row["nats_per_char"] for row in rows] == pytest.approx(
                    [row["nats_per_char"] for row in expected[end]]
                )
    assert any("<eos>" in row["text"] for row in expected["worst"])


def test_the_titles_of_a_proxy_run_may_have_moved(proxy_run: Run, tmp_path: Path, client_of: Served) -> None:
    own = FileCorpus(proxy_run.config["corpus"]["of"]["path"])
    moved = shutil.copy(own.path, tmp_path / "elsewhere.txt")
    with client_of([proxy_run], corpus=FileCorpus(str(moved))) as client:
        assert client.get(f"/api/titles/{proxy_run.name}").status_code == 200


@pytest.mark.parametrize("corpus", [HubCorpus("2026"), Development(HubCorpus("2026"))], ids=["full", "proxy"])
def test_a_click_downloads_nothing(
    corpus: CorpusConfig, copies: tuple[Run, Run], client_of: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HubCorpus, "is_cached", lambda self: False)
    monkeypatch.setattr(HubCorpus, "load", lambda self, announce: pytest.fail("downloads"))
    run = copies[0]
    change_corpus(run, corpus)
    with client_of([run]) as client:
        answer = client.get(f"/api/titles/{run.name}")
    assert answer.status_code == 409
    assert "restart the page with --corpus hub --revision 2026" in answer.json()["error"]


@pytest.mark.parametrize(
    ("name", "view"),
    [
        (layout.METRICS, "curves"),
        (layout.MAINRUN_LOG, "curves"),
        (layout.CONFIG, "details"),
        (layout.TITLE_LOSSES, "titles"),
    ],
)
def test_a_file_that_cannot_be_read_is_said(client: TestClient, copies: tuple[Run, Run], name: str, view: str) -> None:
    run = copies[0]
    (run.path / name).unlink()
    (run.path / name).mkdir()  # permissions would not do: root is denied nothing
    answer = client.get(f"/api/{view}/{run.name}")
    assert answer.status_code == 410
    assert f"{name} of run {run.name} cannot be read" in answer.json()["error"]
    assert str(run.path.parent) not in answer.text


def test_titles_that_are_not_at_hand_say_what_is_missing(
    copies: tuple[Run, Run], tmp_path: Path, client_of: Served
) -> None:
    run = copies[0]
    other = tmp_path / "others.txt"
    other.write_text("\n".join(f"title {n}" for n in range(100)))
    for corpus, said in (
        (FileCorpus(str(tmp_path / "none.txt")), "none.txt"),
        (FileCorpus(str(other)), "other titles than this corpus gives"),
    ):
        with client_of([run], corpus=corpus) as client:
            answer = client.get(f"/api/titles/{run.name}")
            assert answer.status_code == 409
            assert said in answer.json()["error"]
            assert "--corpus" in answer.json()["error"]


def test_no_more_models_stay_open_than_allowed(copies: tuple[Run, Run]) -> None:
    first, second = copies
    models = OpenModels(copies, Limits(open_models=1))
    closed = weakref.ref(models.open(first.name).model)
    models.open(second.name)
    gc.collect()
    assert closed() is None
    assert models.opened(first.name) is None
    assert models.opened(second.name) is not None
    assert models.open(first.name).model.name == first.name
