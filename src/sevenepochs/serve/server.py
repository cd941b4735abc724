"""The choice of runs, the socket, and a clean end. Every mistake of a user is one line."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import ipaddress
import socket
from collections.abc import Sequence
from pathlib import Path

import h11
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

from sevenepochs.errors import UserError
from sevenepochs.serve.guard import LOOPBACK_HOSTS, Hosts, Limits, name_of
from sevenepochs.store.run import Run, find_run, list_runs

N_NEWEST = 8  # runs that are offered when none is named
_GOODBYE_SECONDS = 2  # for answers under way at Ctrl-C


def choose_runs(names: Sequence[str], folder: Path) -> list[Run]:
    """Return the named runs, or the newest complete ones, newest first. Raises UserError: no such run, or no complete
    one; says what to do."""
    if names:
        found = [find_run(name, folder) for name in names]
        return list({run.path.resolve(): run for run in found}.values())
    complete = [run for run in reversed(list_runs(folder)) if run.state == "complete"]
    if not complete:
        raise UserError(
            f"{folder} holds no complete run to serve; make two in three minutes with: sevenepochs demo "
            "(or name a folder of runs with --runs)"
        )
    return complete[:N_NEWEST]


def listen(host: str, port: int) -> socket.socket:
    """Return a bound socket; port 0 takes a free one. Raises UserError: the port is taken or no port, or the address is
    not ours."""
    if not 0 <= port <= 65535:  # the system would take it modulo 65,536
        raise UserError(f"--port {port}: ports are 0 to 65535; 0 takes any free one")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError) as error:  # UnicodeError: a part of the name is empty or longer than 63 characters
        reason = error.strerror if isinstance(error, OSError) else "not a name of a machine"
        raise UserError(f"--host {host} is no address of this machine ({reason})") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(128)  # so that a taken port is known now
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise UserError(f"port {port} is in use; choose another, e.g. --port {port + 1}, or 0 for any") from None
        if error.errno == errno.EACCES:
            raise UserError(f"port {port} needs more rights than you have; choose one above 1023") from None
        raise UserError(f"cannot listen on {host} port {port} ({error.strerror}); leave --host out") from None
    return listener


def allowed_hosts(host: str, listener: socket.socket, proxies: Sequence[str] = ()) -> Hosts:
    """Return the names under which requests are answered: the user's name for the server, its address, and the loopback
    address, which a tunnel's visitor sees. Bound to all addresses: any of them, and this machine's own name.

    Args:
        host: as `listen` was given it.
        proxies: names of proxies before this server, as `proxy_name` returns them.
    """
    bound, proxied = _bound(listener), frozenset(proxies)
    if bound.is_unspecified:
        name = socket.gethostname().lower()
        return Hosts(LOOPBACK_HOSTS | {name, f"{name}.local"}, any_address=True, proxied=proxied)
    return Hosts(LOOPBACK_HOSTS | {host.lower(), str(bound)}, proxied=proxied)


def proxy_name(text: str) -> str:
    """Return the name in what `--allow-host` was given: a name, also with a port, or a whole URL. Raises UserError:
    there is none."""
    name = name_of(text if "//" in text else f"//{text}")
    if not name or "*" in name:
        raise UserError(f"--allow-host {text}: give the name in the browser's address, e.g. hub.example.org")
    return name


def address_of(listener: socket.socket) -> str:
    """Return the URL to open on this machine."""
    bound = _bound(listener)
    if not bound.is_unspecified:
        return _url(str(bound), listener)
    return _url("127.0.0.1" if bound.version == 4 else "::1", listener)


def address_for_others(listener: socket.socket) -> str | None:
    """Return the URL to open on another machine; None where none can reach it."""
    bound = _bound(listener)
    if bound.is_loopback:
        return None
    return _url(socket.gethostname() if bound.is_unspecified else str(bound), listener)


def _bound(listener: socket.socket) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(listener.getsockname()[0])


def _url(host: str, listener: socket.socket) -> str:
    port = listener.getsockname()[1]
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


class _Impatient(H11Protocol):
    """Closes a connection also when a request's head does not arrive, or an answer is not read, within the idle time,
    and when a body goes on after its refusal. uvicorn bears all three forever, and counts the connection as open."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=0)  # so that a single unread byte pauses writing
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def data_received(self, data: bytes) -> None:
        self.conn.receive_data(data)  # uvicorn stops the clock at a head's first byte; handle_events does at its last
        self.handle_events()
        if self.conn.our_state is h11.DONE and self.conn.their_state is h11.SEND_BODY:  # answered, and still sending
            self.transport.abort()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._unread = self.loop.call_later(self.timeout_keep_alive, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._unread.cancel()


def server_of(app: Starlette, limits: Limits) -> uvicorn.Server:
    """Return the server; it has no socket yet."""
    config = uvicorn.Config(
        app,
        http=_Impatient,
        h11_max_incomplete_event_size=limits.head_bytes,
        timeout_keep_alive=limits.idle_seconds,
        log_level="error",
        access_log=False,  # what people type is nobody's business
        server_header=False,
        limit_concurrency=limits.connections,
        timeout_graceful_shutdown=_GOODBYE_SECONDS,
        ws="none",
        lifespan="on",
    )
    return uvicorn.Server(config)


def serve_until_stopped(app: Starlette, listener: socket.socket, limits: Limits) -> None:
    """Answer until Ctrl-C or SIGTERM, then let go of the socket."""
    with listener, contextlib.suppress(KeyboardInterrupt):  # raised again by uvicorn when it has shut down
        server_of(app, limits).run(sockets=[listener])
