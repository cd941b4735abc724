"""One contestant in its own process: `python worker.py PEER SHAPE_JSON`, then commands on stdin, answers on stdout.

    warm N   N steps that do not count (compilation among them)   {"seconds": [...], "loss": ..., "peak_bytes": ...}
    run N    N timed steps                                        the same

It waits between commands without using the processor, so contestants can take turns.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from typing import Any, TextIO

import torch
from memory import forget_peak, level_bytes, peak_bytes
from peers.usual import Step
from shape import Shape
from torch import Tensor


def main(peer: str, shape_json: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is not an answer
    shape = Shape.from_json(shape_json)
    torch.set_num_threads(shape.threads)
    torch.manual_seed(shape.seed)
    module = importlib.import_module(f"peers.{peer}")
    step: Step = module.make_step(shape)
    base_bytes = level_bytes(shape.device)  # weights and libraries, before the first step
    _say(answers, {"torch": torch.__version__, "note": step.note, "micro_batches": step.micro_batches})
    done = 0
    for line in sys.stdin:
        command, _, count = line.strip().partition(" ")
        assert command in ("warm", "run"), line
        forget_peak(shape.device)
        batches = [
            tuple(torch.from_numpy(part).to(shape.device) for part in shape.batch(done + i)) for i in range(int(count))
        ]
        time_them = _timed_together if shape.device == "cuda" and command == "run" else _timed_one_by_one
        seconds, loss = time_them(step, batches, done)
        done += len(batches)
        _say(answers, {"seconds": seconds, "loss": loss, "peak_bytes": peak_bytes(shape.device) - base_bytes})


def _timed_one_by_one(step: Step, batches: list[tuple[Tensor, ...]], first: int) -> tuple[list[float], float]:
    """Seconds of each step, and the last loss."""
    seconds, loss = [], float("nan")
    for number, (x_BT, y_BT) in enumerate(batches, first):
        started = time.perf_counter()
        loss = float(step.run(x_BT, y_BT, number))
        _wait(x_BT)  # for the update too, which the loss does not depend on
        seconds.append(time.perf_counter() - started)
    return seconds, loss


def _timed_together(step: Step, batches: list[tuple[Tensor, ...]], first: int) -> tuple[list[float], float]:
    """The same for a GPU, which a program feeds ahead of time: only the whole round has a beginning and an end."""
    _wait(batches[0][0])
    started = time.perf_counter()
    for number, (x_BT, y_BT) in enumerate(batches, first):
        loss = step.run(x_BT, y_BT, number)
    _wait(batches[0][0])
    each = (time.perf_counter() - started) / len(batches)
    return [each] * len(batches), float(loss)


def _wait(on: Tensor) -> None:
    if on.device.type == "cuda":
        torch.cuda.synchronize()


def _say(answers: TextIO, facts: dict[str, Any]) -> None:
    print(json.dumps(facts), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
