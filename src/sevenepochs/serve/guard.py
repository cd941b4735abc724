"""The server's limits, and its guard against other sites' pages. Every answer carries strict headers.

A page of another site can make a browser send requests to 127.0.0.1, and DNS rebinding can make it read the answers,
because the browser then takes both for one site. The name in the Host header is what gives such a page away.
"""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})


class Refusal(HTTPException):
    """An answer that is refused: `{"error": message}` with the status.

    404 unknown, 408 too slow, 409 a run without a model, 410 a run that vanished or is damaged, 413 too long, 422 not
    understood, 503 too busy. 204, superseded by a newer keystroke, has no message: nobody reads it.
    """

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status, message)
        self.status = status
        self.message = message


@dataclass(frozen=True)
class Limits:
    """Bounds of one request, and of all together, in time, memory and concurrency. The page states those that a visitor
    can meet. The defaults suit one person on a laptop, and fifty in a class room.
    """

    text_chars: int = 300  # of the typed headline; real ones have at most some 100
    body_bytes: int = 16_384  # of a request; JSON may write a character as 12 bytes
    head_bytes: int = 16_384  # of a request before its body
    idle_seconds: int = 10  # until a request's head is there, until an answer is read; the connection is then closed
    body_seconds: float = 5.0  # from a request's head to its end
    waiting: int = 128  # jobs in line before new ones are refused
    wait_seconds: float = 15.0  # of a job before it is refused
    streams: int = 8  # samplings at one time
    samples: int = 10  # titles per sampling
    sample_tokens: int = 48  # of one sampled title
    open_models: int = 4  # in memory; the one that was not asked for the longest is closed first
    prefix_bytes: int = 192 * 1024 * 1024  # distributions and attention states of typed prefixes, per model
    titles: int = 100  # listed on either end, best and worst
    curve_points: int = 240  # of a training loss curve
    connections: int = 512  # open at one time; a browser keeps up to six


@dataclass(frozen=True)
class Hosts:
    """Allowed names in the Host header, without its port.

    Attributes:
        names: names and addresses in small letters.
        any_address: also every numeric address, for a server that listens on all that this machine has. Rebinding
            changes what a name stands for, and cannot use a number.
        proxied: names of proxies before this server, in small letters. Their pages may send requests also where the
            proxy puts another name into the Host header.
    """

    names: frozenset[str] = LOOPBACK_HOSTS
    any_address: bool = False
    proxied: frozenset[str] = frozenset()

    def allow(self, host: str) -> bool:
        """Return whether requests under this name or address are answered."""
        return host in self.names or host in self.proxied or (self.any_address and _is_address(host))

    def allow_origin(self, origin: str, host: str) -> bool:
        """Return whether a page of `origin` may send requests that arrive with `host` in their Host header."""
        return _split(origin).netloc == host or name_of(origin) in self.proxied


_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


class Guard:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp, hosts: Hosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers[name] = value
            await send(message)

        if problem := self._problem(Headers(scope=scope)):
            await JSONResponse({"error": problem}, 403)(scope, receive, send_guarded)
            return
        await self._app(scope, receive, send_guarded)

    def _problem(self, headers: Headers) -> str | None:
        start = "start it with: sevenepochs serve --allow-host NAME (the name in the browser's address)"
        host, origin = headers.get("host", ""), headers.get("origin")
        if not self._hosts.allow(name_of(f"//{host}")):
            own = "this server answers under its own address only; open the address that it printed"
            return f"{own}, or, behind a proxy, {start}"
        if origin is not None and not self._hosts.allow_origin(origin, host):
            return f"the server refuses requests from another site; behind a proxy, {start}"
        return None


def name_of(url: str) -> str:
    """Return the name or address in a URL in small letters; empty where there is none."""
    return _split(url).hostname or ""


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url)
    except ValueError:  # e.g. an unclosed bracket
        return urlsplit("")


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
