"""Starting and ending: which runs, which address, and one line for everything that goes wrong."""

import signal
import socket
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from sevenepochs.cli.main import main
from sevenepochs.run_folder import Run, layout
from sevenepochs.serve.server import LOOPBACK_HOSTS, address_of, allowed_hosts, choose_runs, is_loopback, listen


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
    assert main(["serve", "--folder", str(tmp_path)]) == 2
    assert "sevenepochs demo" in said(capsys)


def test_an_unknown_run_is_one_line(copies: tuple[Run, Run], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "nothing", "--folder", str(copies[0].path.parent)]) == 2
    assert "nothing" in said(capsys)


def test_a_taken_port_is_one_line(copies: tuple[Run, Run], capsys: pytest.CaptureFixture[str]) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert main(["serve", "--folder", str(copies[0].path.parent), "--port", str(port)]) == 2
    assert f"port {port} is in use" in said(capsys)


@pytest.mark.parametrize("port", ["-1", "65536", "99999"])
def test_a_port_that_cannot_be_is_one_line(
    copies: tuple[Run, Run], capsys: pytest.CaptureFixture[str], port: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sevenepochs.serve.server.serve_until_stopped", lambda *given: None)
    assert main(["serve", "--folder", str(copies[0].path.parent), "--port", port]) == 2
    assert "0 to 65535" in said(capsys)


def test_a_foreign_address_is_one_line(copies: tuple[Run, Run], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--folder", str(copies[0].path.parent), "--host", "192.0.2.1", "--port", "0"]) == 2
    assert "192.0.2.1" in said(capsys)


def test_a_missing_extra_is_one_line(
    copies: tuple[Run, Run], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "starlette", None)
    assert main(["serve", "--folder", str(copies[0].path.parent)]) == 2
    assert 'pip install "sevenepochs[serve]"' in said(capsys)


@pytest.mark.parametrize(
    ("host", "loopback"),
    [("127.0.0.1", True), ("localhost", True), ("::1", True), ("0.0.0.0", False), ("192.168.1.5", False), ("x", False)],
)
def test_which_addresses_are_this_machines_own(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback
    hosts = allowed_hosts(host)
    assert (hosts is None) == (host == "0.0.0.0")
    assert hosts is None or hosts >= {*LOOPBACK_HOSTS, host}


def test_the_default_is_loopback() -> None:
    with listen("127.0.0.1", 0) as listener:
        assert address_of(listener).startswith("http://127.0.0.1:")


def test_ctrl_c_ends_it_cleanly(copies: tuple[Run, Run]) -> None:
    command = [sys.executable, "-m", "sevenepochs", "serve", "--folder", str(copies[0].path.parent), "--port", "0"]
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
