"""The other end of worker.py: one contestant's process, its commands and what it measured."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from shape import Shape

HERE = Path(__file__).resolve().parent
LITGPT_PYTHON = HERE / ".venv-litgpt" / "bin" / "python"
WARM_STEPS = 3  # the first one compiles, the next ones find their caches


class Contestant:
    """A worker that has compiled and waits. `seconds`: the median step of each round."""

    def __init__(self, peer: str, shape: Shape) -> None:
        self.peer, self.shape = peer, shape
        self.seconds: list[float] = []
        self.loss = float("nan")
        self.peak_bytes = 0
        # not a pipe: nobody reads while the worker works, and a full pipe would stop it
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115  # closed with the worker
        self._process = subprocess.Popen(
            [
                str(LITGPT_PYTHON) if peer == "litgpt" else sys.executable,
                str(HERE / "worker.py"),
                peer,
                shape.to_json(),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": str(shape.threads)},
        )
        try:
            self.facts = self._answer()
            self.warm_seconds: float = self._ask("warm", WARM_STEPS)["seconds"][-1]
        except BaseException:
            self.close()
            raise

    def run(self, n_steps: int) -> None:
        """One round."""
        answer = self._ask("run", n_steps)
        self.seconds.append(statistics.median(answer["seconds"]))
        self.loss = answer["loss"]
        self.peak_bytes = max(self.peak_bytes, answer["peak_bytes"])

    def close(self) -> None:
        self._process.kill()
        self._process.wait()
        self._errors.close()

    def measured(self) -> dict[str, Any]:
        """What a record keeps."""
        return {
            "seconds": [round(seconds, 6) for seconds in self.seconds],
            "peak_bytes_above_start": self.peak_bytes,
            "last_loss": round(self.loss, 6),
        }

    def _ask(self, command: str, count: int) -> dict[str, Any]:
        assert self._process.stdin
        self._process.stdin.write(f"{command} {count}\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            self._process.wait()
            self._errors.seek(0)
            raise RuntimeError(f"{self.peer} died:\n{self._errors.read()[-2000:]}")
        answer: dict[str, Any] = json.loads(line)
        return answer


def steps_a_round(contestants: list[Contestant], round_seconds: float) -> int:
    """As many steps as the slowest takes `round_seconds` for, the same for all."""
    return max(1, round(round_seconds / max(contestant.warm_seconds for contestant in contestants)))
