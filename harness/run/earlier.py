"""Expect the tokens and the time of a run from the last one of the same model."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypedDict, cast

from dtbench.harness.core.errors import DtbenchError
from dtbench.harness.run.dispatch import DEFAULT_CONCURRENCY
from dtbench.harness.store.run_json import read_info, read_summary
from dtbench.harness.store.summary_types import Summary, TaskSummary
from dtbench.harness.store.types import RunInfo

_DEPTH = ("", "*/", "*/*/")
"""Where runs lie in a folder: it may be one, hold some, or hold runs with others inside."""
_SAME_MODEL = ("name", "model", "content")


class Expectation(TypedDict):
    """What the answers that are left may take."""

    answers: int
    tokens_in: int | None
    """None where the earlier run has no count of tokens."""
    tokens_out: int | None
    seconds: float
    run: str
    """The run from which this is told."""
    task: str
    """Its task."""


class EarlierTask(NamedTuple):
    """A task that the model has answered before."""

    run: Path
    info: RunInfo
    summary: TaskSummary

    @property
    def answers(self) -> int:
        """How many answers there are."""
        return self.summary["n"] - self.summary["missing"] - self.summary["failed"]

    def expect(self, left: int) -> Expectation:
        """Return what so many more answers may take, if they are like these."""
        tokens, each = self.summary["tokens"], left / self.answers
        used = self.info["endpoint"].get("concurrency") or self.info.get("request", {}).get("concurrency")
        concurrency = used or DEFAULT_CONCURRENCY
        return {
            "answers": left,
            "tokens_in": None if tokens["in"] is None else round(tokens["in"] * each),
            "tokens_out": None if tokens["out"] is None else round(tokens["out"] * each),
            "seconds": round(self.summary["seconds"]["total"] * each / min(concurrency, self.answers), 1),
            "run": str(self.run),
            "task": self.summary["task"],
        }


def earlier_tasks(folders: Iterable[Path], model: Mapping[str, Any]) -> Sequence[EarlierTask]:
    """Return what this model has answered in the runs of some folders, the last first."""
    runs = {path.parent.resolve(): path.parent for place in folders for path in _run_files(place)}
    found = [one for run in runs.values() for one in _answered(run, model)]
    return sorted(found, key=lambda one: one.info["end"] or one.info["start"] or "", reverse=True)


def closest(earlier: Sequence[EarlierTask], task: str, answer: str) -> EarlierTask | None:
    """Return the last of the same task and style of answer, else of the same style, else the last; None without any."""
    alike = sorted(earlier, key=lambda one: (_style(one) != answer, one.summary["task"] != task))
    return next(iter(alike), None)


def _style(one: EarlierTask) -> str:
    return one.info["tasks"][one.summary["task"]]["answer"]


def _run_files(place: Path) -> Iterator[Path]:
    for depth in _DEPTH:
        yield from place.glob(f"{depth}run.json")


def _answered(run: Path, model: Mapping[str, Any]) -> Iterator[EarlierTask]:
    """Yield the tasks of a run that have answers of this model; nothing of a folder that cannot be read."""
    try:
        info = cast("RunInfo", read_info(run))
        if info["kind"] != "run" or any(info["model"].get(name) != model.get(name) for name in _SAME_MODEL):
            return
        summary = read_summary(run, Summary)
    except (DtbenchError, OSError):
        return
    for one in summary["tasks"] if summary else ():
        earlier = EarlierTask(run, info, one)
        if earlier.answers > 0 and one["task"] in info["tasks"]:
            yield earlier
