"""What the server refuses: orders out of bounds, paths, hosts and pages that are not its own."""

import json
import re
from importlib import resources
from typing import Any

import pytest
from starlette.testclient import TestClient

from sevenepochs.serve.app import create_app
from sevenepochs.serve.guard import Hosts, Limits
from sevenepochs.serve.models import OpenModels
from sevenepochs.store.run import Run
from tests.serve.conftest import ask, order


@pytest.mark.parametrize(
    "changes",
    [
        {"temperature": -0.1},
        {"temperature": 2.1},
        {"temperature": "1"},
        {"temperature": True},
        {"temperature": 10**400},
        {"temperature": float("inf")},
        {"n": 0},
        {"n": 11},
        {"n": 1.5},
        {"top_k": -1},
        {"top_k": 10**400},
        {"seed": -1},
        {"seed": 2**32},
        {"text": None},
        {"text": "\ud800"},
        {"run": 3},
    ],
)
def test_orders_out_of_bounds_are_refused_in_a_line(
    client: TestClient, copies: tuple[Run, Run], changes: dict[str, Any]
) -> None:
    body = json.dumps({**order(copies[0]), **changes}).replace("NaN", "null")
    answer = client.post("/api/sample", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 422
    assert "\n" not in answer.json()["error"]


def test_text_and_body_are_limited(client: TestClient, copies: tuple[Run, Run]) -> None:
    assert ask(client, copies[0], "a" * 300).status_code in (200, 413)  # tokens may be too many; characters are not
    too_long = ask(client, copies[0], "a " * 151)
    assert too_long.status_code == 413
    assert "302 characters; at most 300" in too_long.json()["error"]
    assert ask(client, copies[0], "a", padding="x" * 20_000).status_code == 413
    too_many = ask(client, copies[0], "🙂" * 120)
    assert too_many.status_code == 413
    assert "tokens; this model reads" in too_many.json()["error"]
    for body in (b"{", b"[]", b"\xff", b"[" * 9000):
        answer = client.post("/api/predict", content=body, headers={"content-type": "application/json"})
        assert answer.status_code == 422
    assert client.post("/api/predict", content=b"{}").status_code == 422  # what a form of another site could send


@pytest.mark.parametrize(
    "path",
    [
        "/api/details/../../etc/passwd",
        "/api/details/..%2f..%2fetc%2fpasswd",
        "/api/details/%2e%2e",
        "/api/curves/.",
        "/../serve/app.py",
        "/..%2fapp.py",
        "/static/page.css",
        "/page.css/",
        "/api/details/",
    ],
)
def test_no_path_leads_outside(client: TestClient, path: str) -> None:
    answer = client.get(path, follow_redirects=False)
    assert answer.status_code == 404
    assert set(answer.json()) == {"error"}


def test_only_the_named_runs_are_offered(client: TestClient, copies: tuple[Run, Run], finished_run: Run) -> None:
    names = [run["name"] for run in client.get("/api/runs").json()["runs"]]
    assert names == [run.name for run in copies]
    assert ask(client, str(finished_run.path), "a").status_code == 404
    assert client.get("/api/details/no_such_run").status_code == 404


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.1:8707", "localhost:8707", "[::1]:8707", "LOCALHOST"])
def test_its_own_names_are_answered(client: TestClient, host: str) -> None:
    assert client.get("/api/runs", headers={"host": host}).status_code == 200


@pytest.mark.parametrize("host", ["evil.example", "evil.example:8707", "127.0.0.1.evil.example", "", "[", "0.0.0.0"])
def test_a_rebound_name_is_refused(client: TestClient, host: str) -> None:
    answer = client.get("/api/runs", headers={"host": host})
    assert answer.status_code == 403
    assert "Content-Security-Policy" in answer.headers


def test_another_sites_page_is_refused(client: TestClient, copies: tuple[Run, Run]) -> None:
    body = {"run": copies[0].name, "text": "a", "client": "t"}
    for origin, status in (("https://evil.example", 403), ("null", 403), ("http://127.0.0.1:8707", 200)):
        assert client.post("/api/predict", json=body, headers={"origin": origin}).status_code == status


@pytest.mark.parametrize("host", ["hub.example.org", "127.0.0.1:8707"])
def test_an_allowed_proxys_page_is_answered_whatever_host_it_passes_on(finished_run: Run, host: str) -> None:
    """`Hosts.proxied` lets the outer name in, also beside a rewritten Host header; other sites stay out."""
    app = create_app(OpenModels([finished_run], Limits()), hosts=Hosts(proxied=frozenset({"hub.example.org"})))
    body = {"run": finished_run.name, "text": "a", "client": "t"}
    with TestClient(app, base_url=f"https://{host}") as client:
        assert client.get("/api/runs").status_code == 200
        for origin, status in (
            ("https://hub.example.org", 200),
            ("https://hub.example.org:8443", 200),
            ("https://evil.example", 403),
            ("https://hub.example.org.evil.example", 403),
            ("null", 403),
            ("http://[", 403),
        ):
            answer = client.post("/api/predict", json=body, headers={"origin": origin})
            assert (origin, answer.status_code) == (origin, status)
            if status == 403:
                assert "--allow-host" in answer.json()["error"]
        rebound = client.get("/api/runs", headers={"host": "evil.example"})
        assert rebound.status_code == 403
        assert "--allow-host" in rebound.json()["error"]


def test_every_answer_carries_the_strict_headers(client: TestClient) -> None:
    for path in ("/", "/page.css", "/api/runs", "/nothing"):
        headers = client.get(path).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers


def test_every_address_in_the_page_is_relative() -> None:
    """A proxy may have put the page under any prefix, which an address from the root leaves."""
    files = [file for file in resources.files("sevenepochs.serve").joinpath("static").iterdir()]
    assert len(files) > 10
    for file in files:
        assert re.findall(r"""["'`(]/[a-z][^"'`)]*""", file.read_text(encoding="utf-8")) == [], file.name
