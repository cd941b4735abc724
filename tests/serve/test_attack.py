"""Whatever is sent, nobody else suffers: connections that go nowhere are closed, and 10,000 requests made up from the
application's own routes are answered or refused in a line. Many at once: test_load.py. Figures: docs/reliability.md."""

import collections
import contextlib
import http.client
import json
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sevenepochs.serve.app import create_app
from sevenepochs.serve.guard import Hosts, Limits
from sevenepochs.serve.models import OpenModels
from sevenepochs.store.run import Run
from tests.serve.crowd import narrow, post, sampling
from tests.serve.test_server import connect

Background = Callable[..., AbstractContextManager[str]]


def get(host: str, path: str = "/none") -> bytes:
    return f"GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n".encode()


def status(address: str, request: bytes) -> int:
    with connect(address) as connection:
        connection.sendall(request)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        answer.read()
        return answer.status


@pytest.mark.parametrize("kind", ["silent", "slow head", "slow next head", "body after a refusal"])
def test_a_connection_that_goes_nowhere_is_closed(kind: str, in_background: Background, finished_run: Run) -> None:
    """uvicorn's own clock stops at the first byte after an answer, and does not run before the first answer."""
    limits = Limits(idle_seconds=60 if kind == "body after a refusal" else 1)  # that one is closed at once
    with in_background([finished_run], limits) as address, connect(address) as connection:
        host = urlsplit(address).netloc
        first, rest = {
            "silent": (b"", b""),
            "slow head": (b"GET / HTTP/1.1\r\nx: ", b"x"),
            "slow next head": (get(host) + b"GET / HTTP/1.1\r\nx: ", b"x"),
            "body after a refusal": (post(host, "/none", b"", 10**9), b"x"),
        }[kind]
        connection.sendall(first)
        connection.settimeout(0.2)
        until = time.monotonic() + 6
        with contextlib.suppress(ConnectionError):
            while time.monotonic() < until:
                connection.sendall(rest)
                with contextlib.suppress(TimeoutError):
                    if not connection.recv(65_536):
                        return
            pytest.fail("still open")


def test_silent_connections_give_their_places_back(in_background: Background, finished_run: Run) -> None:
    with (
        in_background([finished_run], Limits(idle_seconds=1, connections=4)) as address,
        contextlib.ExitStack() as held,
    ):
        for _ in range(4):
            held.enter_context(connect(address))
        request, until = get(urlsplit(address).netloc), time.monotonic() + 20
        assert status(address, request) == 503
        while (found := status(address, request)) == 503 and time.monotonic() < until:
            time.sleep(0.1)
        assert found == 404


def test_who_never_reads_gives_the_place_back(in_background: Background, finished_run: Run) -> None:
    with in_background([finished_run], Limits(idle_seconds=1, streams=1)) as address:
        order = sampling(urlsplit(address).netloc, finished_run.name)
        with contextlib.closing(narrow(address)) as unread:
            unread.sendall(order * 40)
            until, seen = time.monotonic() + 20, collections.Counter[int]()
            while time.monotonic() < until and (seen[503] < 3 or seen[200] < 3):
                seen[status(address, order)] += 1
                time.sleep(0.1)
    assert seen[503] >= 3 and seen[200] >= 3


ROUTES = [route for route in create_app(OpenModels([], Limits()), hosts=Hosts()).routes if hasattr(route, "methods")]
TEXT = st.text(st.characters(exclude_categories=()), max_size=40)  # halves of surrogate pairs too
CLOSED = 0  # the status where a head that is damaged never ends
ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


def now_and_then(draw: st.DrawFn) -> bool:
    return draw(st.integers(0, 7)) == 0


@st.composite
def bodies(draw: st.DrawFn, names: list[str]) -> bytes:
    fields = {
        "run": st.sampled_from(names),
        "text": TEXT | st.sampled_from(["", "Show HN: A", "🙂 naïve<eos>", "a " * 160]),
        "client": st.sampled_from("ab"),
        "facts": st.just({}) | st.dictionaries(st.sampled_from(["n", "time"]) | TEXT, TEXT, max_size=2),
        "temperature": st.floats(0, 2),
        "top_k": st.integers(0, 20),
        "seed": st.integers(0, 9),
        "n": st.integers(1, 2),
    }
    body = {
        name: draw(ODD if now_and_then(draw) else values) for name, values in fields.items() if draw(st.integers(0, 15))
    }
    if now_and_then(draw):
        return draw(st.binary(max_size=50) | ODD.map(lambda value: json.dumps(value).encode()))
    return json.dumps(body | ({"more": "x" * 20_000} if now_and_then(draw) else {})).encode()


@st.composite
def requests(draw: st.DrawFn, names: list[str], own: str) -> tuple[bytes, set[int]]:
    """The bytes of a request, and the statuses that may answer it."""
    route = draw(st.sampled_from(ROUTES) | st.sampled_from([route for route in ROUTES if "/api/" in route.path]))
    method = (
        draw(st.sampled_from(["PUT", "OPTIONS", "BREW", "GET"])) if now_and_then(draw) else sorted(route.methods)[-1]
    )
    name = draw(TEXT).encode(errors="surrogatepass") if now_and_then(draw) else draw(st.sampled_from(names)).encode()
    path = route.path.replace("{name}", quote(name, safe="/." if now_and_then(draw) else ""))
    body = draw(bodies(names)) if route.methods == {"POST"} or now_and_then(draw) else b""
    host = draw(st.sampled_from(["evil.example", "[", "", "0.0.0.0", "localhost"])) if now_and_then(draw) else own
    origin = (
        draw(st.sampled_from(["https://evil.example", "null", "http://["])) if now_and_then(draw) else f"http://{host}"
    )
    length = draw(st.sampled_from([0, 3, 10**12])) if now_and_then(draw) else len(body)
    kind = "text/plain" if now_and_then(draw) else "application/json"
    head = (
        f"{method} {path} HTTP/1.1\r\nhost: {host}\r\norigin: {origin}\r\ncontent-type: {kind}\r\n"
        f"content-length: {length}\r\nconnection: close\r\n"
    ).encode()
    may = {200, 204, 404, 405, 408, 413, 422}
    if host not in (own, "localhost") or origin != f"http://{host}":
        may = {403}
    if now_and_then(draw):  # bytes that are wrong
        damaged = bytearray(head)
        for at, byte in draw(
            st.lists(st.tuples(st.integers(0, len(head) - 1), st.integers(0, 255)), min_size=1, max_size=3)
        ):
            damaged[at] = byte
        head, may = bytes(damaged), {200, 204, 400, 403, 404, 405, 408, 413, 422, CLOSED}
    return head + b"\r\n" + body, may


@pytest.mark.parametrize("n", [300, pytest.param(10_000, marks=pytest.mark.long)])
def test_requests_made_up_from_the_routes_are_answered_or_refused(
    n: int, in_background: Background, finished_run: Run, told_run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    runs, seen = [finished_run, told_run], collections.Counter[int]()
    limits = Limits(idle_seconds=1, body_seconds=0.1, samples=2, sample_tokens=4)

    with in_background(runs, limits) as address:

        @settings(max_examples=n, database=None, suppress_health_check=list(HealthCheck))
        @given(requests([run.name for run in runs], urlsplit(address).netloc))
        def send(made: tuple[bytes, set[int]]) -> None:
            request, may = made
            with connect(address) as connection:
                connection.sendall(request)
                answer = http.client.HTTPResponse(connection, method=request[:4].decode(errors="replace").strip())
                try:
                    answer.begin()
                    content = answer.read()
                except http.client.RemoteDisconnected:
                    assert CLOSED in may
                    seen[CLOSED] += 1
                    return
            seen[answer.status] += 1
            assert answer.status in may, answer.status
            if answer.status == 400:  # no HTTP: uvicorn answers
                return
            assert "default-src 'none'" in answer.headers["content-security-policy"]
            if answer.status not in (200, 204) and not request.startswith(b"HEAD"):
                error = json.loads(content)["error"]
                assert error and "\n" not in error and str(finished_run.path.parent) not in error

        send()
        good = {"run": finished_run.name, "text": "Show", "client": "c"}
        assert status(address, post(urlsplit(address).netloc, "/api/predict", json.dumps(good).encode())) == 200
    error = capsys.readouterr().err
    assert "Traceback" not in error, error
    with capsys.disabled():
        print(f"\n{sum(seen.values()):,} made-up requests: {dict(sorted(seen.items()))}")
    assert sum(seen.values()) >= n
