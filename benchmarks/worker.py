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
from shape import Shape


def main(peer: str, shape_json: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is not an answer
    shape = Shape.from_json(shape_json)
    torch.set_num_threads(shape.threads)
    torch.manual_seed(shape.seed)
    module = importlib.import_module(f"peers.{peer}")
    step_of = module.make_step(shape)
    base_bytes = level_bytes(shape.device)  # weights and libraries, before the first step
    _say(answers, {"torch": torch.__version__, "note": module.NOTE})
    done = 0
    for line in sys.stdin:
        command, _, count = line.strip().partition(" ")
        assert command in ("warm", "run"), line
        forget_peak(shape.device)
        seconds, loss = [], float("nan")
        for _ in range(int(count)):
            x_BT, y_BT = (torch.from_numpy(part).to(shape.device) for part in shape.batch(done))
            started = time.perf_counter()
            loss = float(step_of(x_BT, y_BT, done))  # reading the loss waits for the device
            seconds.append(time.perf_counter() - started)
            done += 1
        _say(answers, {"seconds": seconds, "loss": loss, "peak_bytes": peak_bytes(shape.device) - base_bytes})


def _say(answers: TextIO, facts: dict[str, Any]) -> None:
    print(json.dumps(facts), file=answers, flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
