"""Many typists at once: everybody is answered, nobody sees an error. Times are printed, and mean something only on a
machine that does nothing else."""

import asyncio
import random
import time
from typing import Any

import httpx2
import numpy as np
import pytest

from sevenepochs.run_folder import Run

KEY_SECONDS = 0.2  # between keystrokes: 60 words a minute
HEADLINES = (
    "Show HN: A small language model that runs on a laptop",
    "Ask HN: What is the best way to learn about compilers?",
    "Why the loss went down and what it says",
    "The history of the tokenizer (2019)",
)


async def type_along(client: httpx2.AsyncClient, run: str, typist: int, until: float) -> list[tuple[int, float]]:
    """(status, seconds) of every keystroke; the next key is pressed whether or not the last was answered."""
    chance = random.Random(typist)
    sent: list[asyncio.Task[tuple[int, float]]] = []

    async def press(text: str) -> tuple[int, float]:
        began = time.perf_counter()
        answer = await client.post("/api/predict", json={"run": run, "text": text, "typist": str(typist)})
        return answer.status_code, time.perf_counter() - began

    while time.monotonic() < until:
        headline = chance.choice(HEADLINES)
        for n in range(1, len(headline) + 1):
            if time.monotonic() >= until:
                break
            sent.append(asyncio.create_task(press(headline[:n])))
            await asyncio.sleep(KEY_SECONDS * chance.uniform(0.5, 1.5))
    return await asyncio.gather(*sent)


@pytest.mark.parametrize(
    ("n_typists", "seconds"), [(5, 5.0), pytest.param(50, 60.0, marks=pytest.mark.long)], ids=["5x5s", "50x60s"]
)
def test_everybody_is_answered(
    in_background: Any, finished_run: Run, n_typists: int, seconds: float, capsys: pytest.CaptureFixture[str]
) -> None:
    async def typing(address: str) -> list[tuple[int, float]]:
        limits = httpx2.Limits(max_connections=n_typists * 4)
        async with httpx2.AsyncClient(base_url=address, timeout=120.0, limits=limits) as client:
            until = time.monotonic() + seconds
            found = await asyncio.gather(
                *(type_along(client, finished_run.name, typist, until) for typist in range(n_typists))
            )
        return [keystroke for typist in found for keystroke in typist]

    with in_background([finished_run]) as address:
        keystrokes = asyncio.run(typing(address))
    assert {status for status, _ in keystrokes} <= {200, 204}  # 204: a newer keystroke of the same typist came first
    answered = [taken for status, taken in keystrokes if status == 200]
    assert len(answered) >= n_typists
    with capsys.disabled():
        p50, p95 = np.percentile(answered, (50, 95)) * 1000
        print(
            f"\n{n_typists} typists for {seconds:.0f} s: {len(answered):,} of {len(keystrokes):,} keystrokes answered, "
            f"the others superseded; median {p50:.0f} ms, p95 {p95:.0f} ms"
        )
