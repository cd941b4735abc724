"""A desk: one thread, and a bounded line of jobs before it.

Jobs one after the other share what was read before, and need no locks. A typist's newer job takes the place of their
older one that still waits: nobody needs the answer to a keystroke before the last.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from sevenepochs.serve.refusal import Refusal

T = TypeVar("T")


class _Ticket:
    """A place in the line; `future` is resolved with the job's result."""

    def __init__(self, job: Callable[[], Any], future: asyncio.Future[Any]) -> None:
        self.job = job
        self.future = future


class Desk:
    """Used from one event loop."""

    def __init__(self, name: str, waiting: int, wait_seconds: float) -> None:
        """
        Args:
            name: of the thread.
            waiting: longest line.
            wait_seconds: before a job is given up.
        """
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._line: deque[_Ticket] = deque()
        self._by_typist: dict[str, _Ticket] = {}
        self._busy = False
        self._waiting = waiting
        self._wait_seconds = wait_seconds

    async def ask(self, job: Callable[[], T], typist: str | None = None) -> T:
        """Run `job` on the desk's thread and return what it returns.

        Args:
            typist: whoever types; None for jobs that nothing supersedes.

        Raises:
            Refusal: the line is full, the wait was too long, or the same typist asked again.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        ticket = self._by_typist.get(typist) if typist is not None else None
        if ticket is not None:
            if not ticket.future.done():
                ticket.future.set_exception(Refusal(204, "superseded by a newer keystroke"))
            ticket.job, ticket.future = job, future
        else:
            if len(self._line) >= self._waiting:
                raise Refusal(503, "too many people are asking at once; try again in a moment")
            ticket = _Ticket(job, future)
            self._line.append(ticket)
            if typist is not None:
                self._by_typist[typist] = ticket
            self._next()
        try:
            async with asyncio.timeout(self._wait_seconds):
                return await future
        except TimeoutError:
            raise Refusal(503, f"no answer within {self._wait_seconds:.0f} s; the machine is busy, try again") from None

    def close(self) -> None:
        """Let the running job end, drop the others."""
        self._line.clear()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _next(self) -> None:
        while self._line and not self._busy:
            ticket = self._line.popleft()
            for typist in [t for t, waiting in self._by_typist.items() if waiting is ticket]:
                del self._by_typist[typist]
            if ticket.future.done():  # given up by timeout or by a browser that went away
                continue
            self._busy = True
            running = asyncio.get_running_loop().run_in_executor(self._pool, ticket.job)
            running.add_done_callback(partial(self._finish, ticket))

    def _finish(self, ticket: _Ticket, done: asyncio.Future[Any]) -> None:
        self._busy = False
        error = None if done.cancelled() else done.exception()
        if not ticket.future.done():
            if done.cancelled():
                ticket.future.cancel()
            elif error is not None:
                ticket.future.set_exception(error)
            else:
                ticket.future.set_result(done.result())
        self._next()
