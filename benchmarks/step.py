"""Training steps side by side: ours and what a user would pick instead, taking turns."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from typing import Any

from contestant import LITGPT_PYTHON, Contestant, steps_a_round
from shape import Shape

PEERS = ("ours", "plain", "huggingface", "litgpt")
VARIANTS = ("all_logits",)  # of ours, run when named


def side_by_side(
    shape: Shape, peers: Sequence[str], rounds: int, round_seconds: float, say: Callable[[str], None]
) -> dict[str, Any]:
    """Rows of the contestants that are installed, and why others are left out.

    Raises:
        RuntimeError: a contestant died.
    """
    contestants: list[Contestant] = []
    left_out: dict[str, str] = {}
    try:
        for peer in peers:
            if reason := _missing(peer):
                left_out[peer] = reason
                say(f"{peer}: left out, {reason}")
                continue
            say(f"{peer}: starts and compiles ...")
            contestants.append(Contestant(peer, shape))
        if not contestants:
            raise RuntimeError("nobody is left to run")
        n_steps = steps_a_round(contestants, round_seconds)
        for number in range(rounds):
            # the order turns, so that nobody always runs on a machine warmed by the same neighbour
            turn = number % len(contestants)
            for contestant in contestants[turn:] + contestants[:turn]:
                contestant.run(n_steps)
            say(f"round {number + 1} of {rounds}, {n_steps} steps each")
    finally:
        for contestant in contestants:
            contestant.close()
    rows = [{"peer": c.peer, **c.facts, **c.measured()} for c in contestants]
    return {
        "tokens_per_step": shape.tokens,
        "flop_per_step": shape.flop,
        "steps_a_round": n_steps,
        "rows": rows,
        "left_out": left_out,
    }


def _missing(peer: str) -> str | None:
    if peer == "litgpt":
        return None if LITGPT_PYTHON.exists() else "its environment is not built (make bench builds it)"
    module = {"huggingface": "transformers"}.get(peer, "torch")
    return None if importlib.util.find_spec(module) else f"{module} is not installed"
