"""Sampling streams, repeats with its seed, and is bounded."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from starlette.testclient import TestClient

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
