"""Many typists at once: everybody is answered, nobody sees an error. Times are printed where pytest has no worker
processes (`make test-long` runs this file so), and mean something only on a machine that does nothing else."""

import asyncio
import contextlib
import random
import subprocess
import sys
import time
from collections.abc import Iterator

import httpx2
import numpy as np
import pytest

from sevenepochs.data.corpus.file import FileCorpus
from sevenepochs.model.weights import model_tensors
from sevenepochs.recipes.story import adamw
from sevenepochs.store.run import Run, RunWriter, layout

KEY_SECONDS = 0.2  # between keystrokes: 60 words a minute
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
def served_apart(run: Run) -> Iterator[str]:
    """The page as people start it. In a thread here, typists and server would wait for each other's Python."""
    command = [sys.executable, "-m", "sevenepochs", "serve", str(run.path), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield next(line.split()[1] for line in server.stdout if line.startswith("open "))
        finally:
            server.kill()


async def type_along(client: httpx2.AsyncClient, run: str, typist: int, until: float) -> list[tuple[int, float]]:
    """(status, seconds) of every keystroke; the next key is pressed whether or not the last was answered."""
    chance = random.Random(typist)
    sent: list[asyncio.Task[tuple[int, float]]] = []

    async def press(text: str) -> tuple[int, float]:
        began = time.perf_counter()
        answer = await client.post("/api/predict", json={"run": run, "text": text, "client": str(typist)})
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
    ("model", "n_typists", "seconds"),
    [
        ("finished_run", 5, 5.0),
        pytest.param("stock_size_run", 5, 5.0, marks=pytest.mark.long),
        pytest.param("stock_size_run", 50, 60.0, marks=pytest.mark.long),
    ],
    ids=["tiny-5x5s", "stock-5x5s", "stock-50x60s"],
)
def test_everybody_is_answered(
    request: pytest.FixtureRequest,
    model: str,
    n_typists: int,
    seconds: float,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run: Run = request.getfixturevalue(model)

    async def typing(address: str) -> list[tuple[int, float]]:
        # shorter than the server's 5 s: unlike a browser, this client does not ask again when both end at once
        limits = httpx2.Limits(max_connections=n_typists * 4, keepalive_expiry=2.0)
        async with httpx2.AsyncClient(base_url=address, timeout=120.0, limits=limits) as client:
            until = time.monotonic() + seconds
            found = await asyncio.gather(*(type_along(client, run.name, typist, until) for typist in range(n_typists)))
        return [keystroke for typist in found for keystroke in typist]

    with served_apart(run) as address:
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
