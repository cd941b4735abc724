"""Many typists at once: everybody is answered, nobody sees an error. Times are printed where pytest has no worker
processes (`make test-long` runs this file so), and mean something only on a machine that does nothing else."""

import asyncio
import collections
import contextlib
import math
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx2
import numpy as np
import pytest

from sevenepochs.data.corpus.file import FileCorpus
from sevenepochs.model.weights import model_tensors
from sevenepochs.recipes.story import adamw
from sevenepochs.store.run import Run, RunWriter, layout

KEY_SECONDS = 0.2  # between keystrokes: 60 words a minute
DEBOUNCE_SECONDS = 0.025  # as in type.js
HEADLINES = (
    "Show HN: A small language model that runs on a laptop",
    "Ask HN: What is the best way to learn about compilers?",
    "Why the loss went down and what it says",
    "The history of the tokenizer (2019)",
)


@pytest.fixture(scope="session")
def stock_size_run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run folder around the stock model at its full size, freshly drawn: it answers as fast as a trained one."""
    folder = tmp_path_factory.mktemp("stock_size")
    letters = random.Random(1)
    words = ["".join(letters.choices("abcdefghijklmnopqrstuvwxyz", k=8)) for _ in range(6000)]
    titles = [" ".join(words[i : i + 10]) for i in range(0, len(words), 10)]
    (folder / "titles.txt").write_text("\n".join([*HEADLINES, *titles] * 2))
    experiment = adamw().replace("corpus", FileCorpus(path=str(folder / "titles.txt")))
    data = experiment.load_data()
    model = experiment.build_model(data.tokenizer.vocab_size, data.tokenizer.texts())
    assert sum(parameter.numel() for parameter in model.parameters()) == 27_172_864
    with RunWriter.create(folder, "adamw", 1) as writer:
        writer.write_json(layout.CONFIG, experiment.to_dict())
        writer.write_text(layout.TOKENIZER, data.tokenizer.json)
        writer.save_model(model_tensors(model))
        writer.finish({"figures": {}})
    return Run(writer.path)


@contextlib.contextmanager
def served_apart(run: Run, said: Path) -> Iterator[str]:
    """The page as people start it. In a thread here, typists and server would wait for each other's Python.

    Args:
        said: file for what the server writes to stderr.
    """
    command = [sys.executable, "-m", "sevenepochs", "serve", str(run.path), "--port", "0"]
    with (
        said.open("w") as errors,
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True) as server,
    ):
        try:
            assert server.stdout is not None
            yield next(line.split()[1] for line in server.stdout if line.startswith("open "))
        finally:
            server.kill()


async def type_along(
    client: httpx2.AsyncClient, run: str, typist: int, until: float, statuses: collections.Counter[int]
) -> list[float]:
    """Seconds from each key until an answer to it or to a later key is there.

    Asks as the page does (type.js, column.js): a little after a key, unless another key came, and a request that is
    still open at the next key is given up. Titles are words in a new order each time, so that none was answered before.
    """
    chance = random.Random(typist)
    pressed: list[float] = []
    waited: list[float] = []

    async def ask(text: str) -> None:
        await asyncio.sleep(DEBOUNCE_SECONDS)
        answer = await client.post("/api/predict", json={"run": run, "text": text, "client": str(typist)})
        statuses[answer.status_code] += 1
        if answer.status_code == 200:
            waited.extend(time.perf_counter() - key for key in pressed)
            pressed.clear()

    asking: asyncio.Task[None] | None = None
    while time.monotonic() < until:
        words = chance.choice(HEADLINES).split()
        chance.shuffle(words)
        for n in range(1, len(title := " ".join(words)) + 1):
            if asking is not None:
                asking.cancel()
            pressed.append(time.perf_counter())
            asking = asyncio.create_task(ask(title[:n]))
            await asyncio.sleep(KEY_SECONDS * chance.uniform(0.5, 1.5))
            if asking.done():
                asking.result()
            if time.monotonic() >= until:
                break
    assert asking is not None
    await asking
    assert not pressed, "the last key was not answered"
    return waited


@pytest.mark.parametrize(
    ("model", "n_typists", "seconds", "n_idle", "n_hostile", "most_ms"),
    [
        ("finished_run", 5, 5.0, 20, 9, math.inf),
        pytest.param("stock_size_run", 5, 5.0, 0, 0, math.inf, marks=pytest.mark.long),
        pytest.param("stock_size_run", 50, 60.0, 0, 0, math.inf, marks=pytest.mark.long),
        pytest.param("finished_run", 50, 60.0, 200, 20, 250, marks=pytest.mark.long),
    ],
    ids=["tiny-5x5s-crowd", "stock-5x5s", "stock-50x60s", "tiny-50x60s-crowd"],
)
def test_everybody_is_answered(
    request: pytest.FixtureRequest,
    model: str,
    n_typists: int,
    seconds: float,
    n_idle: int,
    n_hostile: int,
    most_ms: float,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run: Run = request.getfixturevalue(model)
    statuses = collections.Counter[int]()

    async def typing(address: str) -> list[float]:
        # shorter than the server's 10 s: unlike a browser, this client does not ask again when both end at once
        limits = httpx2.Limits(max_connections=n_typists * 4, keepalive_expiry=2.0)
        async with httpx2.AsyncClient(base_url=address, timeout=120.0, limits=limits) as client:
            until = time.monotonic() + seconds
            typists = (type_along(client, run.name, typist, until, statuses) for typist in range(n_typists))
            return [waited for found in await asyncio.gather(*typists) for waited in found]

    with served_apart(run, tmp_path / "said") as address:
        crowd = subprocess.Popen(
            [sys.executable, "-m", "tests.serve.crowd", address, run.name, str(n_idle), str(n_hostile), str(seconds)],
            cwd=Path(__file__).parents[2], stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        waited = asyncio.run(typing(address))
        seen, _ = crowd.communicate(timeout=60)
    assert crowd.returncode == 0
    p50, p95 = np.percentile(waited, (50, 95)) * 1000
    with capsys.disabled():
        print(
            f"\n{n_typists} typists for {seconds:.0f} s beside {n_idle} idle and {n_hostile} hostile connections: "
            f"{len(waited):,} keys, {statuses.total():,} answers; median {p50:.0f} ms, p95 {p95:.0f} ms\n{seen}"
        )
    assert set(statuses) <= {200, 204}  # 204: a newer keystroke of the same typist came first
    assert (tmp_path / "said").read_text() == ""
    assert p95 <= most_ms
