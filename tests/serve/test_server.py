"""Starting and ending: which runs, which address, and one line for everything that goes wrong."""

import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from sevenepochs.cli.main import main
from sevenepochs.data.corpus.hub import HubCorpus
from sevenepochs.errors import UserError
from sevenepochs.serve import server
from sevenepochs.serve.guard import Hosts, Limits
from sevenepochs.serve.models import OpenModels
from sevenepochs.serve.server import address_for_others, address_of, allowed_hosts, choose_runs, listen
from sevenepochs.store.run import Run, layout

Background = Callable[..., AbstractContextManager[str]]


def said(capsys: pytest.CaptureFixture[str]) -> str:
    error = capsys.readouterr().err
    assert error.count("\n") == 1, error
    return error


def test_without_names_the_newest_complete_runs_are_served(copies: tuple[Run, Run]) -> None:
    folder = copies[0].path.parent
    older, newer = sorted(copies, key=lambda run: run.name)
    assert [run.name for run in choose_runs((), folder)] == [newer.name, older.name]
    (newer.path / layout.SUMMARY).unlink()
    assert [run.name for run in choose_runs((), folder)] == [older.name]
    assert [run.name for run in choose_runs((newer.name, older.name, newer.name), folder)] == [newer.name, older.name]


def test_no_runs_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--runs", str(tmp_path)]) == 2
    assert "sevenepochs demo" in said(capsys)


def test_an_unknown_run_is_one_line(copies: tuple[Run, Run], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "nothing", "--runs", str(copies[0].path.parent)]) == 2
    assert "nothing" in said(capsys)


def test_a_taken_port_is_one_line(copies: tuple[Run, Run], capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["serve", "--runs", str(copies[0].path.parent), "--port", str(port)]) == 2
    assert f"port {port} is in use" in said(capsys)


@pytest.mark.parametrize("port", ["-1", "65536", "99999"])
def test_a_port_that_cannot_be_is_one_line(
    copies: tuple[Run, Run], capsys: pytest.CaptureFixture[str], port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sevenepochs.serve.server.serve_until_stopped", lambda *given: None)
    assert main(["serve", "--runs", str(copies[0].path.parent), "--port", port]) == 2
    assert "0 to 65535" in said(capsys)


@pytest.mark.parametrize("host", ["192.0.2.1", "a" * 70, "a..b"])
def test_a_foreign_or_impossible_address_is_one_line(
    copies: tuple[Run, Run], capsys: pytest.CaptureFixture[str], host: str
) -> None:
    assert main(["serve", "--runs", str(copies[0].path.parent), "--host", host, "--port", "0"]) == 2
    assert host in said(capsys)


def test_titles_are_loaded_before_the_page_opens(
    copies: tuple[Run, Run], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    happened: list[str] = []

    def load(corpus: HubCorpus, announce: Callable[[str], None]) -> None:
        happened.append(f"load {corpus.revision}")
        announce("downloading 426 MB")

    def listen_too(host: str, port: int) -> socket.socket:
        happened.append("listen")
        return listen(host, port)

    monkeypatch.setattr(HubCorpus, "load", load)
    monkeypatch.setattr(server, "listen", listen_too)
    monkeypatch.setattr(server, "serve_until_stopped", lambda *given: None)
    folder = str(copies[0].path.parent)
    assert main(["serve", "--runs", folder, "--port", "0", "--corpus", "hub", "--revision", "2026"]) == 0
    assert happened == ["load 2026", "listen"]
    assert capsys.readouterr().err == "downloading 426 MB\n"


def test_a_corpus_that_is_not_there_is_one_line(copies: tuple[Run, Run], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--runs", str(copies[0].path.parent), "--port", "0", "--corpus", "none.txt"]) == 2
    assert "none.txt" in said(capsys)


def test_a_file_with_the_runs_own_classes_is_imported(
    copies: tuple[Run, Run], tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "serve_until_stopped", lambda *given: None)
    file = tmp_path / "mine.py"
    file.write_text("from pathlib import Path\nPath(__file__).with_suffix('.imported').touch()\n")
    arguments = ["serve", "--runs", str(copies[0].path.parent), "--port", "0", "--load"]
    assert main([*arguments, str(file)]) == 0
    assert file.with_suffix(".imported").exists()
    capsys.readouterr()
    assert main([*arguments, str(tmp_path / "none.py")]) == 2
    assert "none.py" in said(capsys)


def test_a_missing_extra_is_one_line(
    copies: tuple[Run, Run], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "starlette", None)
    assert main(["serve", "--runs", str(copies[0].path.parent)]) == 2
    assert 'pip install -e ".[serve]"' in said(capsys)


@pytest.mark.parametrize("host", ["127.0.0.1", "LOCALHOST", "::1", "0", "0.0.0.0", "::", socket.gethostname()])
def test_what_is_printed_is_answered(host: str) -> None:
    try:
        listener = listen(host, 0)
    except UserError:
        pytest.skip(f"{host} is no address of this machine")
    with listener:
        hosts = allowed_hosts(host, listener)
        for url in filter(None, (address_of(listener), address_for_others(listener))):
            assert hosts.allow(urlsplit(url).hostname or "")
        assert hosts.allow("localhost")  # through a tunnel, for one
        assert not hosts.allow("evil.example")


def test_a_name_is_answered_in_small_letters_and_by_its_address(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", ("127.0.0.1", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *given, **options: found)
    with listen("Demo.Example", 0) as listener:
        hosts = allowed_hosts("Demo.Example", listener)
    assert hosts.allow("demo.example")
    assert hosts.allow("127.0.0.1")
    assert not hosts.allow("192.0.2.1")


@pytest.mark.parametrize("given", ["Hub.Example.org", "hub.example.org:8443", "https://hub.example.org/user/me/"])
def test_a_proxys_name_is_allowed_as_people_write_it(
    given: str, copies: tuple[Run, Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Hosts] = []

    def create(models: OpenModels, limits: Limits, *, hosts: Hosts, corpus: None) -> None:
        found.append(hosts)

    monkeypatch.setattr("sevenepochs.serve.app.create_app", create)
    monkeypatch.setattr(server, "serve_until_stopped", lambda *given: None)
    folder = str(copies[0].path.parent)
    assert main(["serve", "--runs", folder, "--port", "0", "--allow-host", given]) == 0
    assert found[0].allow("hub.example.org")
    assert not found[0].allow("evil.example")


@pytest.mark.parametrize("given", ["", "*", "https://"])
def test_a_proxy_without_a_name_is_one_line(
    given: str, copies: tuple[Run, Run], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(copies[0].path.parent)
    assert main(["serve", "--runs", folder, "--port", "0", "--allow-host", given]) == 2
    assert "hub.example.org" in said(capsys)


@pytest.mark.parametrize("host", ["0", "0.0.0.0"])
def test_all_addresses_are_any_number_but_no_foreign_name(
    host: str, copies: tuple[Run, Run], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with listen(host, 0) as listener:
        hosts = allowed_hosts(host, listener)
    assert hosts.allow("192.0.2.1")
    assert hosts.allow("2001:db8::1")
    for name in ("evil.example", "192.0.2.1.evil.example", "3221225985", ""):
        assert not hosts.allow(name)

    monkeypatch.setattr(server, "serve_until_stopped", lambda *given: None)
    assert main(["serve", "--runs", str(copies[0].path.parent), "--host", host, "--port", "0"]) == 0
    printed = capsys.readouterr().out
    assert "open http://127.0.0.1:" in printed
    assert f"at http://{socket.gethostname()}:" in printed
    assert "there is no password" in printed


def test_addresses_in_brackets_are_printed_whole(
    copies: tuple[Run, Run], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("address_of", "address_for_others"):
        monkeypatch.setattr(server, name, lambda listener: "http://[fd00::5]:8707/")
    monkeypatch.setattr(server, "serve_until_stopped", lambda *given: None)
    assert main(["serve", "--runs", str(copies[0].path.parent), "--port", "0"]) == 0
    assert capsys.readouterr().out.count("http://[fd00::5]:8707/") == 2


def test_the_default_is_loopback() -> None:
    with listen("127.0.0.1", 0) as listener:
        assert address_of(listener).startswith("http://127.0.0.1:")
        assert address_for_others(listener) is None


def connect(address: str) -> socket.socket:
    url = urlsplit(address)
    assert url.hostname and url.port
    return socket.create_connection((url.hostname, url.port), timeout=20)


def post_head(address: str, n_bytes: int) -> bytes:
    """All of a request but its body."""
    host = urlsplit(address).netloc
    return (
        f"POST /api/predict HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n"
        f"content-length: {n_bytes}\r\n\r\n"
    ).encode()


def test_a_connection_is_closed_when_no_request_follows_an_answer(in_background: Background, finished_run: Run) -> None:
    with in_background([finished_run], Limits(idle_seconds=1)) as address, connect(address) as connection:
        connection.sendall(f"GET /none HTTP/1.1\r\nhost: {urlsplit(address).netloc}\r\n\r\n".encode())
        began = time.monotonic()
        answer = b"".join(iter(lambda: connection.recv(4096), b""))  # up to the end of the connection
        assert answer.startswith(b"HTTP/1.1 404") and time.monotonic() - began < 4.5  # by itself uvicorn waits 5


def test_a_head_that_is_too_long_is_refused(in_background: Background, finished_run: Run) -> None:
    with in_background([finished_run], Limits(head_bytes=1000)) as address, connect(address) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nx: " + b"x" * 2000)
        assert connection.recv(12) == b"HTTP/1.1 400"


def test_a_body_that_does_not_arrive_is_refused(in_background: Background, finished_run: Run) -> None:
    with in_background([finished_run], Limits(body_seconds=0.5)) as address, connect(address) as connection:
        connection.sendall(post_head(address, 100) + b"{")
        assert connection.recv(12) == b"HTTP/1.1 408"


def test_ctrl_c_ends_it_cleanly(copies: tuple[Run, Run]) -> None:
    command = [sys.executable, "-m", "sevenepochs", "serve", "--runs", str(copies[0].path.parent), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = next(line.split()[1] for line in process.stdout if line.startswith("open "))
            with urllib.request.urlopen(address, timeout=300) as page:
                assert b"<title>sevenepochs</title>" in page.read()
            process.send_signal(signal.SIGINT)
            out, error = process.communicate(timeout=300)
        finally:
            process.kill()
    assert (process.returncode, out.strip(), error) == (0, "stopped", "")
