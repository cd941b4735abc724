"""Sampling streams, repeats with its seed, and is bounded."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

from sevenepochs.ask.model import Model
from sevenepochs.ask.samples import Drawing, draw, text_of
from sevenepochs.serve import app
from sevenepochs.serve.guard import Limits
from sevenepochs.serve.models import OpenModels
from sevenepochs.store.run import Run, layout
from tests.serve.conftest import Served, lines, order


def test_samples_stream_repeat_with_their_seed_and_obey_top_k(client: TestClient, copies: tuple[Run, Run]) -> None:
    first, again, other = (lines(client.post("/api/sample", json=order(copies[0], seed=seed))) for seed in (1, 1, 2))
    assert first == again
    assert first != other
    assert first[-1] == {"done": True}
    assert {line["sample"] for line in first[:-1]} == {0, 1}
    assert {line["end"] for line in first if "end" in line} <= {"eos", "length"}
    greedy, one = (
        lines(client.post("/api/sample", json=order(copies[0], **changes)))
        for changes in ({"temperature": 0.0}, {"top_k": 1})
    )
    assert greedy == one  # the likeliest token, whichever way it is asked for


def test_the_page_shows_what_sample_draws(client: TestClient, copies: tuple[Run, Run]) -> None:
    model, drawing = Model.load(copies[0]), Drawing(temperature=0.9, top_k=20, seed=5, max_tokens=48)
    shown = {
        line["sample"]: line["text"] for line in sampled(client, copies[0], temperature=0.9, top_k=20, seed=5, n=3)
    }
    *_, drawn = draw(model, "Show", 3, drawing)
    assert shown == {i: text_of(model, one.ids) for i, one in enumerate(drawn)}


def test_a_title_ends_with_the_models_block(client: TestClient, copies: tuple[Run, Run]) -> None:
    """One token fits behind a text that fills the block, none behind a longer one."""
    model = Model.load(copies[0])
    text = "🙂" * 40
    while len(model.encode(text)) > model.block_size:
        text = text[:-1]
    room = model.block_size + 1 - len(model.encode(text))
    assert len(sampled(client, copies[0], text=text, n=1, seed=2)) <= room < 48
    found = lines(client.post("/api/sample", json=order(copies[0], text="🙂" * 60, n=1)))
    assert found == [{"sample": 0, "end": "length"}, {"done": True}]


def sampled(client: TestClient, run: Run, **more: Any) -> list[dict[str, Any]]:
    """The lines that carry text."""
    return [line for line in lines(client.post("/api/sample", json=order(run, **more))) if "text" in line]


def test_samplings_at_one_time_are_limited(copies: tuple[Run, Run], client_of: Served) -> None:
    with client_of([copies[0]], Limits(streams=0)) as client:
        answer = client.post("/api/sample", json=order(copies[0]))
    assert answer.status_code == 503
    assert "try again" in answer.json()["error"]


def test_samplings_are_counted_before_their_model_is_loaded(
    copies: tuple[Run, Run], client_of: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    loading, go, load = threading.Event(), threading.Event(), OpenModels.open

    def load_slowly(models: OpenModels, name: str) -> Any:
        loading.set()
        assert go.wait(60)
        return load(models, name)

    monkeypatch.setattr(OpenModels, "open", load_slowly)
    monkeypatch.setattr(app, "_OPENED_AT_START", 0)
    with client_of([copies[0]], Limits(streams=1)) as client, ThreadPoolExecutor() as pool:
        try:
            first = pool.submit(client.post, "/api/sample", json=order(copies[0]))
            assert loading.wait(60)
            second = pool.submit(client.post, "/api/sample", json=order(copies[0]))
            refused = second.result(timeout=20)
        finally:
            go.set()
        assert refused.status_code == 503
        assert "samplings are going on" in refused.json()["error"]
        assert lines(first.result())[-1] == {"done": True}


def test_a_sampling_that_ended_or_never_began_counts_no_more(copies: tuple[Run, Run], client_of: Served) -> None:
    first, second = copies
    with client_of([first, second], Limits(streams=1)) as client:
        (second.path / layout.MODEL).write_bytes(b"not tensors")
        for _ in range(2):
            assert client.post("/api/sample", json=order(first)).status_code == 200
            assert client.post("/api/sample", json=order(second)).status_code == 410
