"""A deadline for the head of a request, for which uvicorn waits for ever.

Its own timeout runs between two requests only. A connection that says nothing, or half a head, would stay open, and as
many of them as the server allows would shut everybody else out.
"""

from __future__ import annotations

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle


def with_deadline(head_seconds: float) -> type[asyncio.Protocol]:
    """uvicorn's protocol for HTTP/1.1, closing a connection on which no request has begun `head_seconds` after it was
    opened or the last answer was sent."""

    class Impatient(H11Protocol):
        _timer: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._start_timer()

        def on_response_complete(self) -> None:
            self._start_timer()  # first: what follows may begin the next request, if it has arrived already
            super().on_response_complete()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_timer()
            super().connection_lost(exc)

        def _start_timer(self) -> None:
            self._stop_timer()
            self._timer = self.loop.call_later(head_seconds, self._close_unless_asked, self.cycle)

        def _stop_timer(self) -> None:
            if self._timer is not None:
                self._timer.cancel()

        def _close_unless_asked(self, answered: RequestResponseCycle | None) -> None:
            """`answered`: the last request and its answer when the timer was started; None before the first."""
            if self.cycle is answered:
                self.transport.close()

    return Impatient
