"""What a run left behind, in a form that can be compared."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from sevenepochs.store.run import Run, layout

TIMING = {"tokens_per_second", "elapsed_seconds", "elapsed_time", "timestamp"}
SOURCES = {"source", "earlier_sources"}


@pytest.fixture(scope="session")
def outcome() -> Callable[[Run], dict[str, Any]]:
    """Everything that must not depend on when and how often a run was stopped; files as bytes."""

    def of(run: Run) -> dict[str, Any]:
        events = [json.loads(line) for line in run.read_text(layout.MAINRUN_LOG).splitlines()]
        summary = run.summary
        assert summary is not None
        return {
            "weights": (run.path / layout.MODEL).read_bytes(),
            "title losses": (run.path / layout.TITLE_LOSSES).read_bytes(),
            "metrics": [{k: v for k, v in row.items() if k not in TIMING} for row in run.metrics()],
            "mainrun": [{k: v for k, v in event.items() if k not in TIMING} for event in events],
            "summary": {k: v for k, v in summary.items() if k not in TIMING},
            # the source tree may be edited while the tests run
            "certificate": {k: v for k, v in (run.certificate or {}).items() if k not in SOURCES},
            "config": {**run.config, "training": {**run.config["training"], "checkpoint_seconds": None}},
        }

    return of
