"""The line before the thread: bounded, in order, and without keystrokes that nobody waits for any more."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from sevenepochs.serve.guard import Refusal
from sevenepochs.serve.worker import Worker


def with_worker(test: Callable[[Worker, threading.Event], Coroutine[Any, Any, None]], **limits: Any) -> None:
    """Run `test` with a worker and an event that lets the first job go."""
    worker = Worker("test", **{"waiting": 10, "wait_seconds": 60.0, **limits})
    go = threading.Event()

    async def main() -> None:
        try:
            await test(worker, go)
        finally:
            go.set()
            worker.close()

    asyncio.run(main())


async def started(*jobs: Coroutine[Any, Any, Any]) -> list[asyncio.Task[Any]]:
    tasks = [asyncio.create_task(job) for job in jobs]
    await asyncio.sleep(0)
    return tasks


def test_a_newer_keystroke_takes_the_place_of_the_older_one() -> None:
    ran: list[str] = []

    async def test(worker: Worker, go: threading.Event) -> None:
        tasks = await started(
            worker.run(go.wait),
            *(worker.run(lambda text=text: ran.append(text), "anna") for text in ("S", "Sh", "Sho")),
            worker.run(lambda: ran.append("other"), "ben"),
        )
        go.set()
        results = await asyncio.gather(*tasks, return_exceptions=True)
        assert [getattr(result, "status", None) for result in results] == [None, 204, 204, None, None]

    with_worker(test)
    assert ran == ["Sho", "other"]  # in the older one's place, so that fast typists do not fall behind


def test_a_full_line_refuses_and_empties_again() -> None:
    async def test(worker: Worker, go: threading.Event) -> None:
        tasks = await started(worker.run(go.wait), worker.run(lambda: 1), worker.run(lambda: 2))
        with pytest.raises(Refusal) as refusal:
            await worker.run(lambda: 3)
        assert refusal.value.status == 503
        go.set()
        assert (await asyncio.gather(*tasks))[1:] == [1, 2]
        assert await worker.run(lambda: 4) == 4

    with_worker(test, waiting=2)


def test_a_wait_that_is_too_long_is_refused_and_its_job_never_runs() -> None:
    ran: list[int] = []

    async def test(worker: Worker, go: threading.Event) -> None:
        first, late = await started(worker.run(go.wait), worker.run(lambda: ran.append(1)))
        with pytest.raises(Refusal, match="the machine is busy"):
            await late
        go.set()
        await asyncio.gather(first, return_exceptions=True)
        await worker.run(lambda: None)

    with_worker(test, wait_seconds=0.3)
    assert ran == []


def test_an_error_reaches_who_asked_and_the_next_goes_on() -> None:
    async def test(worker: Worker, go: threading.Event) -> None:
        with pytest.raises(ZeroDivisionError):
            await worker.run(lambda: 1 // 0)
        assert await worker.run(lambda: "fine") == "fine"

    with_worker(test)


def test_who_goes_away_leaves_the_line() -> None:
    ran: list[str] = []

    async def test(worker: Worker, go: threading.Event) -> None:
        first, gone, last = await started(
            worker.run(go.wait), worker.run(lambda: ran.append("gone"), "anna"), worker.run(lambda: ran.append("last"))
        )
        gone.cancel()
        await asyncio.sleep(0)
        go.set()
        await asyncio.gather(first, last)

    with_worker(test)
    assert ran == ["last"]
