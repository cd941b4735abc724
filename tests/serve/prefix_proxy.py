"""A proxy that stands before the page as JupyterHub, code-server and nginx do: under a path of its own, which it takes
off."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

_BLOCK_BYTES = 65_536


@contextlib.contextmanager
def prefix_proxy(upstream: str, prefix: str, name: str, *, keeps_host: bool) -> Iterator[str]:
    """Serve `upstream` below `prefix`, and nothing anywhere else; yields the outer address.

    Args:
        upstream: address of the server behind, e.g. "http://127.0.0.1:8707/".
        prefix: begins with a slash and ends without.
        name: the outer name of this machine.
        keeps_host: whether the outer Host header is passed on; else upstream's own is sent.
    """
    behind = urlsplit(upstream)
    assert behind.hostname and behind.port

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._pass_on()

        def do_POST(self) -> None:
            self._pass_on()

        def _pass_on(self) -> None:
            if not self.path.startswith(prefix + "/"):
                self.send_error(404, "not below the prefix")
                return
            body = self.rfile.read(int(self.headers.get("content-length", 0)))
            headers = {key: value for key, value in self.headers.items() if key.lower() != "connection"}
            if not keeps_host:
                headers["Host"] = behind.netloc
            connection = http.client.HTTPConnection(str(behind.hostname), behind.port, timeout=120)
            with contextlib.closing(connection), contextlib.suppress(BrokenPipeError, ConnectionResetError):
                connection.request(self.command, self.path.removeprefix(prefix), body, headers)
                answer = connection.getresponse()
                self.send_response(answer.status)
                for key, value in answer.getheaders():
                    if key.lower() not in ("transfer-encoding", "connection"):
                        self.send_header(key, value)
                self.end_headers()
                while block := answer.read1(_BLOCK_BYTES):
                    self.wfile.write(block)

        def log_message(self, format: str, *values: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://{name}:{server.server_address[1]}{prefix}/"
        finally:
            server.shutdown()
            thread.join(timeout=60)
