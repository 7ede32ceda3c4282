"""A leaderboard: what papers and boards report, with the runs of this machine among them.

Scores of other data, of parts of a benchmark, or of options in another order are shown and not ranked. A rank says only
what more than chance says: one more than the number of those that are better beyond it.
"""

from __future__ import annotations

import contextlib
import json
import math
from collections.abc import Iterator, Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import Any, NamedTuple

from dtbench.harness.core.errors import DataError, UserError
from dtbench.harness.stats.intervals import Z95, wilson
from dtbench.harness.store.provenance import why_no_candidate
from dtbench.harness.store.run_json import read_info, read_summary
from dtbench.harness.store.summary_types import Summary, TaskSummary
from dtbench.harness.store.types import RunInfo, TaskInfo

UNRANKED = ("Human", "Random guess")
CURRENT = {"mmau-mini": "v05.15.25", "mmau-test": "v05.15.25"}
"""The version of the data that a board is about; where none is named, all versions count alike."""
OURS = "this machine"


class Entry(NamedTuple):
    """A line of a board."""

    rank: int | None
    """None where it cannot be ranked."""
    model: str
    score: float
    low: float
    high: float
    groups: Mapping[str, float]
    rubrics: float | None
    source: str
    where: str
    date: str
    data: str
    why_not: str
    """Why it is not comparable; empty where it is."""
    ours: bool


class Board(NamedTuple):
    """The board of one benchmark."""

    task: str
    groups: Sequence[str]
    entries: Sequence[Entry]
    notes: Sequence[str]
    """Folders that could not be read, and why."""


def published_tasks() -> list[str]:
    """Return the benchmarks of which numbers were published."""
    return sorted(file.name.removesuffix(".json") for file in _published().iterdir() if file.name.endswith(".json"))


def make_board(task: str, runs: Path | None) -> Board:
    """Make the board of a benchmark, best first; with the whole runs in a folder where one is named.

    Of a task without published scores, such as a user's own, it has the runs alone.
    """
    published = _numbers_of(task, runs)
    whole = published["questions"]
    notes: list[str] = []
    entries = [*_reported(published), *(() if runs is None else _own(runs, task, whole, notes))]
    entries.sort(key=lambda entry: (-entry.score, entry.model, entry.source))
    return Board(task, published["groups"], _ranked(entries, whole), notes)


def _numbers_of(task: str, runs: Path | None) -> Mapping[str, Any]:
    """Return the published numbers of a benchmark; of a user's own none, and how many questions its largest run has."""
    if task in published_tasks():
        found: Mapping[str, Any] = json.loads((_published() / f"{task}.json").read_text(encoding="utf-8"))
        return found
    asked = [] if runs is None else [about["questions"] for about in _runs_of(runs, task)]
    if not asked:
        where = "" if runs is None else f", and {runs} has no run of it"
        known = ", ".join(published_tasks())
        raise UserError(f"--task {task}: dtbench has no published scores of it{where}. Known: {known}.")
    return {"task": task, "questions": max(asked), "groups": [], "rows": [], "sources": {}}


def _runs_of(runs: Path, task: str) -> Iterator[TaskInfo]:
    for path in runs.glob("**/summary.json"):
        with contextlib.suppress(FileNotFoundError, DataError):
            info = read_info(path.parent)
            if info["kind"] == "run" and task in info["tasks"]:
                yield info["tasks"][task]


def _published() -> Any:
    return resources.files("dtbench.results") / "published"


def _reported(published: Mapping[str, Any]) -> Iterator[Entry]:
    n = published["questions"]
    for row in published["rows"]:
        source = published["sources"][row["source"]]
        values = zip(published["groups"], row.get("groups", ()), strict=False)
        groups = {name: value for name, value in values if value is not None}
        yield Entry(
            None,
            row["model"],
            row["score"],
            *_interval(row["score"], n),
            groups,
            row.get("rubrics"),
            source["title"],
            source["where"],
            source.get("date", ""),
            row.get("data", ""),
            _unlike(row, published["task"], source),
            ours=False,
        )


def _unlike(row: Mapping[str, Any], task: str, source: Mapping[str, Any]) -> str:
    if row["model"] in UNRANKED:
        return "reference only"
    if task in CURRENT and row.get("data") != CURRENT[task]:
        return f"data {row.get('data', 'not reported')}"
    return str(row.get("kind", "") if row.get("kind", "").endswith("agent") else source.get("scorer", ""))


def _own(runs: Path, task: str, whole: int, notes: list[str]) -> Iterator[Entry]:
    """Yield an entry for each run in or below the folder with a summary of the task; note what cannot be read."""
    for path in sorted(runs.glob("**/summary.json")):
        folder = path.parent
        try:
            info = read_info(folder)
            summary = read_summary(folder, Summary) if info["kind"] == "run" else None
        except FileNotFoundError:
            continue
        except DataError as error:
            notes.append(f"left out: {error}")
            continue
        if info["kind"] != "run" or summary is None:
            continue
        for one in summary["tasks"]:
            if one["task"] == task and task in info["tasks"] and one["official"]["accuracy"] is not None:
                yield _entry_of_run(folder, one, info, whole)


def _entry_of_run(folder: Path, summary: TaskSummary, info: RunInfo, whole: int) -> Entry:
    model, about = info["model"], info["tasks"][summary["task"]]
    score = 100 * (summary["official"]["accuracy"] or 0.0)
    columns = ((one["column"], one["official"]) for one in summary["paper"] if one["column"] != "Avg")
    return Entry(
        None,
        str(model.get("model") or model.get("name")),
        round(score, 2),
        *_interval(score, max(1, summary["official"]["counted"])),
        {name: round(100 * official, 2) for name, official in columns if official is not None},
        None,
        OURS,
        str(folder),
        (info["end"] or "")[:10],
        about["data"]["version"],
        why_no_candidate(model) or _why_not(summary, about, whole),
        ours=True,
    )


def _why_not(summary: TaskSummary, about: TaskInfo, whole: int) -> str:
    task = summary["task"]
    if about["audio"] != "clip" or about["permute"]:
        return "audio or option order changed"
    if summary["failed"] or summary["missing"]:
        return f"{summary['failed'] + summary['missing']} answers are missing"
    if about["questions"] != whole:
        return f"{about['questions']} of {whole} questions"
    if task in CURRENT and about["data"]["version"] != CURRENT[task]:
        return f"data {about['data']['version']}"
    return ""


def _interval(score: float, n: int) -> tuple[float, float]:
    interval = wilson(score / 100, n)
    return round(100 * interval.low, 2), round(100 * interval.high, 2)


def _ranked(entries: Sequence[Entry], n: int) -> list[Entry]:
    fit = [entry for entry in entries if not entry.why_not]
    return [
        entry if entry.why_not else entry._replace(rank=1 + sum(_better(other, entry, n) for other in fit))
        for entry in entries
    ]


def _better(one: Entry, other: Entry, n: int) -> bool:
    """Whether it is beyond what chance does to two scores over so many questions."""
    p, q = one.score / 100, other.score / 100
    error = math.sqrt((p * (1 - p) + q * (1 - q)) / n)
    return p - q > Z95 * error
