"""A crowd around the page, in a process of its own: connections that do nothing, and some that do harm.

    python -m tests.serve.crowd ADDRESS RUN IDLE HOSTILE SECONDS

prints how often each kind was connected, what the first line of the answers said, and how long the server bore it.
"""

import asyncio
import collections
import contextlib
import json
import os
import socket
import sys
import time
from dataclasses import dataclass, field
from urllib.parse import urlsplit


@dataclass
class Kind:
    """Bytes that a connection begins with, then `rest` every `pause` seconds; many that never read what they asked."""

    first: bytes
    rest: bytes = b""
    pause: float = 0.5
    reads: bool = True
    seen: collections.Counter[str] = field(default_factory=collections.Counter)
    longest_seconds: float = 0.0


def post(host: str, path: str, body: bytes, n_bytes: int | None = None, more: str = "") -> bytes:
    """A request with JSON; `n_bytes` that it promises, where it does not keep its word."""
    length = len(body) if n_bytes is None else n_bytes
    head = f"POST {path} HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n"
    return f"{head}{more}\r\n".encode() + body


def sampling(host: str, run: str) -> bytes:
    """A request for as much text as there is."""
    order = {"run": run, "text": "", "temperature": 2.0, "top_k": 0, "seed": 1, "n": 10}
    return post(host, "/api/sample", json.dumps(order).encode())


def hostile(host: str, run: str) -> dict[str, Kind]:
    head, close = f"GET / HTTP/1.1\r\nhost: {host}\r\nx: ".encode(), "connection: close\r\n"
    rebound = f"GET /api/runs HTTP/1.1\r\nhost: evil.example\r\n{close}\r\n".encode()
    return {
        "slow head": Kind(head, b"x"),
        "slow body": Kind(post(host, "/api/predict", b"{", 10_000), b" "),
        "long head": Kind(head, b"x" * 4096, pause=0.01),
        "endless body": Kind(post(host, "/api/predict", b"{", 10**12), b" " * 65_536, pause=0.0),
        "body after a refusal": Kind(post(host, "/none", b"{", 10**12), b" " * 65_536, pause=0.0),
        "no HTTP": Kind(os.urandom(300) + b"\r\n\r\n"),
        "rebound name": Kind(rebound),
        "cross-site post": Kind(post(host, "/api/predict", b"{}", more=f"origin: https://evil.example\r\n{close}")),
        "never reads": Kind(sampling(host, run) * 100, reads=False),
    }


def narrow(address: str) -> socket.socket:
    """A connection whose way back holds little, so that what is not read soon waits in the server."""
    url = urlsplit(address)
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    found.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
    found.connect((url.hostname, url.port))
    return found


async def connect_again_and_again(address: str, kind: Kind) -> None:
    url = urlsplit(address)
    while True:
        began, said = time.monotonic(), "closed"
        try:
            if kind.reads:
                reader, writer = await asyncio.open_connection(url.hostname, url.port)
            else:
                reader, writer = await asyncio.open_connection(sock=narrow(address), limit=1)
            sending = asyncio.create_task(send(writer, kind))
            try:
                if kind.reads:
                    said = (await reader.readline()).decode(errors="replace").strip() or said
                    while await reader.read(65_536):
                        pass
                else:
                    await sending
            finally:
                sending.cancel()
                writer.close()
        except OSError as error:
            said = said if said != "closed" else type(error).__name__
        finally:
            kind.longest_seconds = max(kind.longest_seconds, time.monotonic() - began)
        kind.seen[said] += 1
        await asyncio.sleep(0.1)


async def send(writer: asyncio.StreamWriter, kind: Kind) -> None:
    writer.write(kind.first)
    while not writer.is_closing():
        await writer.drain()
        await asyncio.sleep(kind.pause)
        writer.write(kind.rest or b"" if kind.reads else b"x")  # who never reads learns by writing that it is over


async def main(address: str, run: str, n_idle: int, n_hostile: int, seconds: float) -> None:
    host = urlsplit(address).netloc
    kinds = {"silent": Kind(b""), "idle after an answer": Kind(f"GET /none HTTP/1.1\r\nhost: {host}\r\n\r\n".encode())}
    chosen = [list(kinds.values())[i % 2] for i in range(n_idle)]
    kinds |= hostile(host, run)
    chosen += [list(kinds.values())[2 + i % (len(kinds) - 2)] for i in range(n_hostile)]
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await asyncio.gather(*(connect_again_and_again(address, kind) for kind in chosen))
    print(json.dumps({name: {**kind.seen, "longest": round(kind.longest_seconds, 1)} for name, kind in kinds.items()}))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5])))
