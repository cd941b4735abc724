"""One thread, and a bounded queue of jobs before it.

Jobs one after the other share what was read before, and need no locks. A client's newer job takes the place of an older
one that still waits: nobody needs the answer to a keystroke before the last.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeVar

from sevenepochs.serve.guard import Refusal

T = TypeVar("T")


@dataclass(eq=False)
class _Job:
    """A place in the queue; `future` is resolved with what `function` returns."""

    function: Callable[[], Any]
    future: asyncio.Future[Any]


class Worker:
    """Used from one event loop."""

    def __init__(self, name: str, waiting: int, wait_seconds: float) -> None:
        """Start the thread `name`. The queue holds `waiting` jobs; one is given up after `wait_seconds`."""
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._queue: deque[_Job] = deque()
        self._by_client: dict[str, _Job] = {}
        self._busy = False
        self._waiting = waiting
        self._wait_seconds = wait_seconds

    async def run(self, function: Callable[[], T], client: str | None = None) -> T:
        """Run `function` on the thread and return what it returns.

        Args:
            client: whose newer job replaces an older one; None for jobs that nothing replaces.

        Raises:
            Refusal: the queue is full, the wait was too long, or the same client asked again.
        """
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        job = self._by_client.get(client) if client is not None else None
        if job is not None:
            if not job.future.done():
                job.future.set_exception(Refusal(204, "superseded by a newer keystroke"))
            job.function, job.future = function, future
        else:
            if len(self._queue) >= self._waiting:
                raise Refusal(503, "too many people are asking at once; try again in a moment")
            job = _Job(function, future)
            self._queue.append(job)
            if client is not None:
                self._by_client[client] = job
            self._next()
        try:
            async with asyncio.timeout(self._wait_seconds):
                return await future
        except TimeoutError:
            raise Refusal(503, f"no answer within {self._wait_seconds:.0f} s; the machine is busy, try again") from None

    def close(self) -> None:
        """Let the running job end, drop the others."""
        self._queue.clear()
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _next(self) -> None:
        while self._queue and not self._busy:
            job = self._queue.popleft()
            self._by_client = {client: waiting for client, waiting in self._by_client.items() if waiting is not job}
            if job.future.done():  # given up by timeout or by a browser that went away
                continue
            self._busy = True
            running = asyncio.get_running_loop().run_in_executor(self._pool, job.function)
            running.add_done_callback(partial(self._finish, job))

    def _finish(self, job: _Job, done: asyncio.Future[Any]) -> None:
        self._busy = False
        if done.cancelled():
            job.future.cancel()
        elif (error := done.exception()) is None and not job.future.done():
            job.future.set_result(done.result())
        elif error is not None and not job.future.done():
            job.future.set_exception(error)
        self._next()
