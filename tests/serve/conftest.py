"""Two tiny runs with different tokenizers, and the page's server in a thread that ends for certain."""

import contextlib
import json
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from sevenepochs.data.corpus.base import CorpusConfig
from sevenepochs.data.corpus.development import Development
from sevenepochs.data.corpus.file import FileCorpus
from sevenepochs.experiment import Experiment
from sevenepochs.serve.app import create_app
from sevenepochs.serve.guard import Hosts, Limits
from sevenepochs.serve.models import OpenModels
from sevenepochs.serve.server import address_of, allowed_hosts, listen, server_of
from sevenepochs.store.run import Run
from sevenepochs.training.trainer import run_training

HOST = "127.0.0.1"
Served = Callable[..., contextlib.AbstractContextManager[TestClient]]


def ask(client: TestClient, run: Run | str, text: str, **more: Any) -> Any:
    name = run if isinstance(run, str) else run.name
    return client.post("/api/predict", json={"run": name, "text": text, "client": "t", **more})


def lines(response: Any) -> list[dict[str, Any]]:
    return [json.loads(line) for line in response.text.splitlines()]


def order(run: Run, **more: Any) -> dict[str, Any]:
    return {"run": run.name, "text": "Show", "temperature": 1.0, "top_k": 0, "seed": 1, "n": 2, **more}


@pytest.fixture(scope="session")
def other_run(tiny: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A second complete run on the same titles, cut by another tokenizer."""
    experiment = tiny.replace_all({"tokenizer.vocab_size": 270, "tokenizer.trained_on": "train", "training.seed": 7})
    return run_training(experiment, "second", tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="session")
def proxy_run(tiny: Experiment, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A complete run on development titles of a file; every third title contains the literal text `<eos>`."""
    file = tmp_path_factory.mktemp("titles") / "titles.txt"
    file.write_text("\n".join(f"Title {n}{' <eos> and more' * (n % 3 == 0)} {'ab' * (n % 7)}" for n in range(300)))
    return run_training(
        tiny.replace("corpus", Development(FileCorpus(str(file)))), "proxy", tmp_path_factory.mktemp("runs")
    )


@pytest.fixture
def copies(finished_run: Run, other_run: Run, tmp_path: Path) -> tuple[Run, Run]:
    """Both runs in folders that a test may damage."""
    first, second = (
        Run(Path(shutil.copytree(run.path, tmp_path / run.name, symlinks=True))) for run in (finished_run, other_run)
    )
    return first, second


@pytest.fixture(scope="session")
def client_of() -> Callable[..., contextlib.AbstractContextManager[TestClient]]:
    """`with client_of(runs, limits, corpus) as client:` the application without a socket."""

    @contextlib.contextmanager
    def opened(
        runs: list[Run], limits: Limits | None = None, corpus: CorpusConfig | None = None
    ) -> Iterator[TestClient]:
        limits = limits or Limits()
        app = create_app(OpenModels(runs, limits), limits, hosts=Hosts(), corpus=corpus)
        with TestClient(app, base_url=f"http://{HOST}:8707") as client:
            yield client

    return opened


@pytest.fixture
def client(
    copies: tuple[Run, Run], client_of: Callable[..., contextlib.AbstractContextManager[TestClient]]
) -> Iterator[TestClient]:
    with client_of(list(copies)) as found:
        yield found


@pytest.fixture(scope="session")
def in_background() -> Callable[..., contextlib.AbstractContextManager[str]]:
    """`with in_background(runs, limits, proxies) as address:` a real server on a free port, stopped at the end."""

    @contextlib.contextmanager
    def served(runs: list[Run], limits: Limits | None = None, proxies: Sequence[str] = ()) -> Iterator[str]:
        limits = limits or Limits()
        listener = listen(HOST, 0)
        app = create_app(OpenModels(runs, limits), limits, hosts=allowed_hosts(HOST, listener, proxies))
        server = server_of(app, limits)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
        thread.start()
        try:
            while not server.started:
                assert thread.is_alive(), "the server ended before it began"
                time.sleep(0.01)
            yield address_of(listener)
        finally:
            server.should_exit = True
            thread.join(timeout=60)
            listener.close()
            assert not thread.is_alive(), "the server did not stop"

    return served
