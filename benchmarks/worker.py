"""One contestant in its own process: `python worker.py PEER SHAPE_JSON`, then commands on stdin, answers on stdout.

    warm N   N steps that do not count (compilation among them)   {"seconds": [...], "loss": ...}
    run N    N timed steps                                        {"seconds": [...], "loss": ..., "peak_bytes": ...}

It waits between commands without using the processor, so contestants can take turns.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
from pathlib import Path

import torch

sys.path.insert(0, str(Path(__file__).parent))
from shape import Shape


def main(peer: str, shape_json: str) -> None:
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a library prints is not an answer
    shape = Shape.from_json(shape_json)
    torch.set_num_threads(shape.threads)
    torch.manual_seed(shape.seed)
    step_of = importlib.import_module(f"peers.{peer}").make_step(shape)
    base_bytes = _level(shape.device)
    _say(answers, {"torch": torch.__version__, "note": importlib.import_module(f"peers.{peer}").NOTE})
    done = 0
    for line in sys.stdin:
        command, _, count = line.strip().partition(" ")
        assert command in ("warm", "run"), line
        _reset_peak(shape.device)
        seconds, loss = [], float("nan")
        for _ in range(int(count)):
            x_BT, y_BT = (torch.from_numpy(part).to(shape.device) for part in shape.batch(done))
            started = time.perf_counter()
            loss = float(step_of(x_BT, y_BT, done))  # reading the loss waits for the device
            seconds.append(time.perf_counter() - started)
            done += 1
        _say(answers, {"seconds": seconds, "loss": loss, "peak_bytes": _peak(shape.device) - base_bytes})


def _say(answers, facts) -> None:  # type: ignore[no-untyped-def]
    print(json.dumps(facts), file=answers, flush=True)


def _level(device: str) -> int:
    """Bytes held now: weights and libraries, before the first step."""
    return torch.cuda.memory_allocated() if device == "cuda" else _status("VmRSS")


def _reset_peak(device: str) -> None:
    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
    else:
        Path("/proc/self/clear_refs").write_text("5")  # Linux: the high-water mark starts again


def _peak(device: str) -> int:
    return torch.cuda.max_memory_allocated() if device == "cuda" else _status("VmHWM")


def _status(key: str) -> int:
    lines = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(lines[key].split()[0]) * 1024


if __name__ == "__main__":
    main(*sys.argv[1:])
