"""`dtbench sweep`: run several checkpoints on the same benchmarks, one after the other, each in a folder of its own."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from dtbench.harness.core import options as opts
from dtbench.harness.core.errors import DtbenchError, UserError, format_error
from dtbench.harness.core.options import Argument, Option
from dtbench.harness.run.request import RunRequest
from dtbench.harness.run.session import FAILED, INTERRUPTED, RunResult, run
from dtbench.harness.store.run_folder import StoredRun

_LOG = logging.getLogger(__name__)
MISSING = "MODEL is missing: name the checkpoints to run, such as `dtbench sweep ckpt-100 ckpt-200 --tasks mmar`."


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepRequest(RunRequest):
    """Runs of several checkpoints that are alike otherwise; a UserError where a value is not allowed."""

    models: Annotated[
        Sequence[str],
        Argument("MODEL...", "Checkpoints, or whatever else `dtbench run --model` takes.", missing=MISSING),
    ] = ()
    model: str = ""
    """Not given: `models` are."""
    out: Annotated[
        Path | None,
        Option(
            "--out",
            "DIR",
            "Folder in which each checkpoint has a run folder of its own; the same command resumes.",
            panel=opts.OUTPUT,
            shown="results/runs",
            values="files",
        ),
    ] = None

    def __post_init__(self) -> None:
        """Refuse what any of the runs would refuse, before the first one begins."""
        self.requests()

    def requests(self) -> Mapping[str, RunRequest]:
        """Return the run of each checkpoint by its name."""
        if not self.models:
            raise UserError(MISSING)
        shared = {one.name: getattr(self, one.name) for one in fields(RunRequest)}
        requests: dict[str, RunRequest] = {}
        places: dict[str, str] = {}
        for model in self.models:
            place = _folder_name(model)
            if place in places:
                raise UserError(f"{model}: {places[place]} has the same folder ({place}): name each checkpoint once.")
            places[place] = model
            out = None if self.out is None else self.out / place
            requests[model] = RunRequest(**{**shared, "model": model, "out": out})
        return requests


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
    """Run each request, whatever becomes of those before it; an interrupt ends all."""
    for model, request in requests.items():
        outcome = _run_one(model, request, quiet=quiet)
        yield outcome
        if outcome.exit_code == INTERRUPTED:
            return


def worst_exit_code(outcomes: Sequence[SweepRun]) -> int:
    """Return the exit code of a sweep: the worst of its runs'."""
    return max((one.exit_code for one in outcomes), default=0)


def _run_one(model: str, request: RunRequest, *, quiet: bool) -> SweepRun:
    try:
        result = run(request, quiet=quiet)
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


def _folder_name(model: str) -> str:
    """Return the name of a checkpoint's folder, the same in every sweep."""
    return re.sub(r"[^\w.+-]+", "-", model).strip("-.")[-120:] or "model"
