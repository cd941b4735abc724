"""What one request, and all of them together, may cost. Every limit that a visitor can meet is stated on the page."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Bounds in time, memory and concurrency. The defaults suit one person on a laptop, and fifty in a class room.

    Attributes:
        text_chars: of the typed headline; real ones have at most some 100.
        body_bytes: of a request; JSON may write a character as 12 bytes.
        head_bytes: of a request before its body.
        idle_seconds: a connection is closed on which no request follows an answer within these.
        body_seconds: a request must have arrived whole these after its head.
        waiting: jobs in line before new ones are refused.
        wait_seconds: a job that has not been answered by then is refused.
        streams: samplings at one time.
        samples: titles per sampling.
        sample_tokens: of one sampled title.
        open_models: kept in memory; the one that was not asked for the longest is closed first.
        prefix_bytes: remembered distributions and attention states of typed prefixes, per model.
        titles: listed on either end, best and worst.
        curve_points: of a training loss curve.
        connections: open at one time.
    """

    text_chars: int = 300
    body_bytes: int = 16_384
    head_bytes: int = 16_384
    idle_seconds: int = 10
    body_seconds: float = 5.0
    waiting: int = 128
    wait_seconds: float = 15.0
    streams: int = 8
    samples: int = 10
    sample_tokens: int = 48
    open_models: int = 4
    prefix_bytes: int = 192 * 1024 * 1024
    titles: int = 100
    curve_points: int = 240
    connections: int = 256
