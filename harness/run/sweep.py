"""`dtbench sweep`: run several checkpoints on the same benchmarks, one after the other, each in a folder of its own."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from dtbench.harness.core.errors import DtbenchError, format_error
from dtbench.harness.run.ending import FAILED, INTERRUPTED, RunResult
from dtbench.harness.run.request import RunRequest
from dtbench.harness.run.session import run_benchmarks
from dtbench.harness.store.run_folder import StoredRun

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SweepRun:
    """How the run of one checkpoint ended."""

    model: str
    exit_code: int
    result: RunResult | None = None
    """None where it failed before it could be summed up."""
    error: str = ""
    seconds: float | None = None
    """How long its starts took together."""

    def as_json(self) -> dict[str, Any]:
        """Return what `--json` prints of it."""
        outcome: dict[str, Any] = {} if self.result is None else dict(self.result.as_json())
        error = {"error": self.error} if self.error else {}
        return {"model": self.model, "exit_code": self.exit_code, "seconds": self.seconds, **error, **outcome}


def sweep(requests: Mapping[str, RunRequest], *, quiet: bool) -> Iterator[SweepRun]:
    """Run each request, whatever becomes of those before it; an interrupt by the user ends all."""
    for model, request in requests.items():
        outcome = _run_one(model, request, quiet=quiet)
        yield outcome
        if outcome.exit_code == INTERRUPTED and not (outcome.result and outcome.result.stopped):
            return


def worst_exit_code(outcomes: Sequence[SweepRun]) -> int:
    """Return the exit code of a sweep: the worst of its runs'."""
    return max((one.exit_code for one in outcomes), default=0)


def _run_one(model: str, request: RunRequest, *, quiet: bool) -> SweepRun:
    try:
        result = run_benchmarks(request, quiet=quiet)
    except DtbenchError as error:
        return SweepRun(model, error.exit_code, error=str(error))
    except Exception as error:  # an engine's, out of memory among them: the other checkpoints may do without it
        _LOG.exception("%s: the run failed", request.model)
        return SweepRun(model, FAILED, error=format_error(error))
    return SweepRun(model, result.exit_code, result, seconds=_seconds(result.folder))


def _seconds(folder: Path) -> float:
    spans = [(start["start"], start["end"]) for start in StoredRun.open(folder).info["starts"]]
    times = [(datetime.fromisoformat(start), datetime.fromisoformat(end)) for start, end in spans if end is not None]
    return sum((end - start).total_seconds() for start, end in times)
